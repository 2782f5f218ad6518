// Where examples come from.
#pragma once

#include <cstdint>
#include <string>

#include "gladius/train/data/example.h"

namespace gladius::train {

/// Examples by number, read when they are asked for.
class ExampleSource {
 public:
  virtual ~ExampleSource() = default;

  virtual std::int64_t size() const = 0;
  /// FormatError if there is something wrong with this example alone.
  virtual Example read(std::int64_t index) const = 0;
  /// "FILE:LINE" for messages; "" where there is no such place.
  virtual std::string place(std::int64_t /*index*/) const { return ""; }
};

}  // namespace gladius::train
