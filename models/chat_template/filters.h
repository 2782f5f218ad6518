// The filters by what they are for; find_filter() looks through all.
#pragma once

#include <string>

#include "gladius/models/chat_template/functions.h"
#include "gladius/models/chat_template/print.h"

namespace gladius::text::jinja {

/// nullptr for names that are not known.
Function find_text_filter(std::string_view name);
Function find_number_filter(std::string_view name);
Function find_sequence_filter(std::string_view name);

/// The value as it is printed.
inline std::string text_of(Runtime& runtime, const Value& value) {
  return to_text(runtime.budget, value);
}

}  // namespace gladius::text::jinja
