// Characters that are newer than the regular expression library's Unicode tables.
#pragma once

#include <string>
#include <string_view>

namespace gladius::text {

/// Whether the character is newer than Unicode 14 (of September 2021).
bool is_newer_character(char32_t value);

/// The reference matches with Unicode 16, but a distribution's PCRE2 may know Unicode 14 only.
/// Gives `text` with the characters added since replaced by older ones of the same general category
/// and length, so that \p{L}, \p{N} and the like match the same bytes. The result is `text` itself
/// where there are none, else it lives in `buffer`.
std::string_view replace_newer_characters(std::string_view text, std::string& buffer);

}  // namespace gladius::text
