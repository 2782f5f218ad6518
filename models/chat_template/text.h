// Python's str operations on UTF-8 text: positions count characters, case and white space are
// Unicode's. Case mapping is one character to one (Python's few longer ones, such as the capital of
// U+00DF, are left as they are).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/chat_template/limits.h"

namespace gladius::text::jinja {

/// Characters in the text.
std::size_t text_length(std::string_view text);
/// Byte offset of character `index`, or the text's size.
std::size_t text_offset(std::string_view text, std::size_t index);
/// Byte offset of the first occurrence, in linear time; npos when there is none.
std::size_t find_text(std::string_view text, std::string_view needle, std::size_t from = 0);

/// str.isspace() of one character.
bool is_space(char32_t c);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
/// str.title(): a capital after every character without case.
std::string to_title(std::string_view text);
std::string capitalize(std::string_view text);

/// As find_text(), the last occurrence.
std::size_t find_last_text(std::string_view text, std::string_view needle);

/// str.strip() and its one-sided kinds, of white space or of the given characters.
std::string_view strip(std::string_view text, std::optional<std::string_view> characters, bool left,
                       bool right);

/// str.split(): on white space without a separator; a negative limit is none.
std::vector<std::string_view> split(Budget& budget, std::string_view text,
                                    std::optional<std::string_view> separator, std::int64_t limit);
/// str.rsplit() with a separator.
std::vector<std::string_view> split_from_right(Budget& budget, std::string_view text,
                                               std::string_view separator, std::int64_t limit);
/// str.splitlines() without the line ends.
std::vector<std::string_view> split_lines(Budget& budget, std::string_view text);
/// str.replace(); a negative limit is none.
std::string replace_within(Budget& budget, std::string_view text, std::string_view from,
                           std::string_view to, std::int64_t limit);
/// str.count().
std::size_t count_text(std::string_view text, std::string_view needle);

/// repr() of the text, with Python's choice of quotes and escapes.
std::string quote_python(std::string_view text);
/// json.dumps() of the text.
std::string quote_json(std::string_view text, bool ensure_ascii);

enum class CharacterClass { kDigit, kAlpha, kAlphanumeric, kSpace };
/// str.isdigit() and its like: all characters are of the class, and there is one.
bool all_of_class(std::string_view text, CharacterClass wanted);
/// str.isupper() or str.islower(): there are letters with case, all of the wanted one.
bool all_cased(std::string_view text, bool upper);

}  // namespace gladius::text::jinja
