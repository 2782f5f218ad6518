// Values as text: Python's str() and repr(), and JSON.
#pragma once

#include <optional>
#include <string>

#include "gladius/models/chat_template/value.h"

namespace gladius::text::jinja {

/// What {{ value }} prints. Fails for functions and loops, whose text in Python is an address.
std::string to_text(Budget& budget, const Value& value);
std::string repr(Budget& budget, const Value& value);
/// repr() of a float: the shortest digits that read back as the same number.
std::string float_repr(double value);

struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  // of one level; none writes one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};
/// json.dumps(value, ...).
std::string to_json(Budget& budget, const Value& value, const JsonStyle& style);

}  // namespace gladius::text::jinja
