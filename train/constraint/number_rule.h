// Numbers within bounds, decided digit by digit. For this folder.
#pragma once

#include <optional>

#include "gladius/train/constraint/grammar.h"

namespace gladius::train {

struct NumberBound {
  double value = 0;
  bool open = false;  // the value itself is outside
};

struct NumberBounds {
  std::optional<NumberBound> low, high;
  bool whole = false;  // integers
};

/// Numbers as most people write them: of at most 15 digits, which double tells apart, and without
/// zeros in front; with an exponent of up to two digits where there are no bounds and a fraction
/// may come. Without states where no such number fits. FormatError for a bound that has more digits
/// itself.
LeafRule number_rule(const NumberBounds& bounds);

}  // namespace gladius::train
