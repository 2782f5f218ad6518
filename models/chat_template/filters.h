// The filters by what they are for; find_filter() looks through all.
#pragma once

#include "gladius/models/chat_template/functions.h"

namespace gladius::jinja {

/// nullptr for names that are not known.
Function find_text_filter(std::string_view name);
Function find_number_filter(std::string_view name);
Function find_sequence_filter(std::string_view name);

}  // namespace gladius::jinja
