// Properties of characters as the reference has them: each of its libraries has tables of another
// version of Unicode.
#pragma once

#include <string>

namespace gladius::text::characters {

/// Punctuation of Unicode 8, and ASCII's symbols.
bool is_punctuation(char32_t c);
/// The general category is N (Unicode 17).
bool is_number(char32_t c);
/// The general category is M (Unicode 9).
bool is_mark(char32_t c);
/// Appends the character in lower case (Unicode 17), alone: no final sigma.
void append_lowercase(std::string& out, char32_t c);

}  // namespace gladius::text::characters
