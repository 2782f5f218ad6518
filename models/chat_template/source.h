// A template's text, and errors that show where in it they arose.
#pragma once

#include <cstddef>
#include <string>

#include "gladius/models/chat_template/limits.h"

namespace gladius::text::jinja {

struct Source {
  std::string name;
  std::string text;

  /// Throws the gladius::Error of a failure at a byte of the text: `name line 3: message, in
  /// "..."`.
  [[noreturn]] void raise(const Failure& failure, std::size_t offset) const;
};

/// Jinja's reading of a file: line ends become \n and one at the end is dropped. FormatError when
/// the text is not UTF-8.
Source make_source(std::string text, std::string name);

}  // namespace gladius::text::jinja
