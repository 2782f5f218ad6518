#include "gladius/models/chat_template/text.h"

#include <fmt/format.h>
#include <string.h>  // memmem is not in <cstring>'s namespace
#include <utf8proc.h>

#include <algorithm>
#include <utility>

#include "gladius/models/tokenizer/utf8.h"

namespace gladius::text::jinja {
namespace {

using Category = utf8proc_category_t;

Category category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL; }
bool is_cased(char32_t c) {
  return is_upper(c) || is_lower(c) || category(c) == UTF8PROC_CATEGORY_LT;
}

bool is_alpha(char32_t c) {
  const Category kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

// str.isprintable(): all but separators other than the space, controls and unassigned ones.
bool is_printable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_ZS:
      return c == ' ';
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  for (std::size_t pos = 0; pos < text.size(); pos += utf8::char_length(text[pos])) {
    visit(utf8::code_point(text, pos));
  }
}

template <class Map>
std::string map_characters(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for_each_character(text, [&](char32_t c) { utf8::append(out, map(c)); });
  return out;
}

char32_t upper(char32_t c) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c)));
}
char32_t lower(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}
char32_t title(char32_t c) {
  return static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c)));
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

std::vector<std::string_view> split_on_space(Budget& budget, std::string_view text,
                                             std::int64_t limit) {
  std::vector<std::string_view> out;
  while (!(text = strip(text, {}, true, false)).empty()) {
    budget.step();
    if (limit >= 0 && static_cast<std::int64_t>(out.size()) >= limit) {
      out.push_back(text);
      break;
    }
    std::size_t end = 0;
    while (end < text.size() && !is_space(utf8::code_point(text, end))) {
      end += utf8::char_length(text[end]);
    }
    out.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out;
}

std::string reversed(std::string_view text) { return {text.rbegin(), text.rend()}; }

// Whether a set of characters, sorted, or white space without one, has the character.
class CharacterSet {
 public:
  explicit CharacterSet(std::optional<std::string_view> characters) : given_(characters) {
    if (!characters) return;
    for_each_character(*characters, [this](char32_t c) { sorted_.push_back(c); });
    std::sort(sorted_.begin(), sorted_.end());
  }
  bool has(char32_t c) const {
    return given_ ? std::binary_search(sorted_.begin(), sorted_.end(), c) : is_space(c);
  }

 private:
  bool given_;
  std::u32string sorted_;
};

}  // namespace

std::size_t text_length(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::size_t text_offset(std::string_view text, std::size_t index) {
  std::size_t pos = 0;
  while (index-- > 0 && pos < text.size()) pos += utf8::char_length(text[pos]);
  return pos;
}

std::size_t find_text(std::string_view text, std::string_view needle, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  if (needle.size() == 1) return text.find(needle[0], from);
  // std::string_view::find is quadratic on hostile texts; the C library's search is linear.
  const void* hit = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  return hit == nullptr ? std::string_view::npos
                        : static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
}

bool is_space(char32_t c) { return utf8::is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

std::string to_upper(std::string_view text) { return map_characters(text, upper); }
std::string to_lower(std::string_view text) { return map_characters(text, lower); }

std::string to_title(std::string_view text) {
  bool after_cased = false;
  return map_characters(text, [&](char32_t c) {
    const char32_t mapped = after_cased ? lower(c) : title(c);
    after_cased = is_cased(c);
    return mapped;
  });
}

std::string capitalize(std::string_view text) {
  bool first = true;
  return map_characters(
      text, [&](char32_t c) { return std::exchange(first, false) ? title(c) : lower(c); });
}

std::size_t find_last_text(std::string_view text, std::string_view needle) {
  const std::size_t hit = find_text(reversed(text), reversed(needle));
  return hit == std::string_view::npos ? hit : text.size() - hit - needle.size();
}

std::string_view strip(std::string_view text, std::optional<std::string_view> characters, bool left,
                       bool right) {
  const CharacterSet set(characters);
  while (left && !text.empty() && set.has(utf8::code_point(text, 0))) {
    text.remove_prefix(utf8::char_length(text[0]));
  }
  while (right && !text.empty()) {
    std::size_t start = text.size() - 1;
    while ((static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    if (!set.has(utf8::code_point(text, start))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

std::vector<std::string_view> split(Budget& budget, std::string_view text,
                                    std::optional<std::string_view> separator, std::int64_t limit) {
  if (!separator) return split_on_space(budget, text, limit);
  std::vector<std::string_view> out;
  std::size_t start = 0;
  for (; limit != 0; --limit) {
    budget.step();
    const std::size_t hit = find_text(text, *separator, start);
    if (hit == std::string_view::npos) break;
    out.push_back(text.substr(start, hit - start));
    start = hit + separator->size();
  }
  out.push_back(text.substr(start));
  return out;
}

std::vector<std::string_view> split_from_right(Budget& budget, std::string_view text,
                                               std::string_view separator, std::int64_t limit) {
  const std::string mirrored = reversed(text);
  std::vector<std::string_view> out = split(budget, mirrored, reversed(separator), limit);
  for (std::string_view& part : out) {
    const auto start = static_cast<std::size_t>(part.data() - mirrored.data());
    part = text.substr(text.size() - start - part.size(), part.size());
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string_view> split_lines(Budget& budget, std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t start = 0;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t at = pos;
    pos += utf8::char_length(text[pos]);
    if (!is_line_end(utf8::code_point(text, at))) continue;
    budget.step();
    out.push_back(text.substr(start, at - start));
    if (text[at] == '\r' && pos < text.size() && text[pos] == '\n') ++pos;
    start = pos;
  }
  if (start < text.size()) out.push_back(text.substr(start));
  return out;
}

std::string replace_within(Budget& budget, std::string_view text, std::string_view from,
                           std::string_view to, std::int64_t limit) {
  std::string out;
  std::size_t start = 0;
  for (; limit != 0; --limit) {
    const std::size_t hit = find_text(text, from, start);
    if (hit == std::string_view::npos) break;
    out.append(text, start, hit - start).append(to);
    budget.step();
    if (out.size() > kMaxText) fail("replace: the text becomes longer than 64 MiB");
    start = hit + from.size();
    if (from.empty()) {  // between any two characters, as in Python
      if (start == text.size()) break;
      const std::size_t length = utf8::char_length(text[start]);
      out.append(text, start, length);
      start += length;
    }
  }
  out.append(text, start);
  budget.text(out.size());
  return out;
}

std::size_t count_text(std::string_view text, std::string_view needle) {
  if (needle.empty()) return text_length(text) + 1;
  std::size_t count = 0;
  for (std::size_t pos = 0; (pos = find_text(text, needle, pos)) != std::string_view::npos;) {
    ++count;
    pos += needle.size();
  }
  return count;
}

std::string quote_python(std::string_view text) {
  const bool single = text.find('\'') != std::string_view::npos;
  const char32_t quote = single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, static_cast<char>(quote));
  for_each_character(text, [&](char32_t c) {
    const auto code = static_cast<std::uint32_t>(c);
    if (c == quote || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_printable(c)) {
      utf8::append(out, c);
    } else if (c < 0x100) {
      out += fmt::format("\\x{:02x}", code);
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", code);
    } else {
      out += fmt::format("\\U{:08x}", code);
    }
  });
  return out += static_cast<char>(quote);
}

std::string quote_json(std::string_view text, bool ensure_ascii) {
  constexpr std::string_view escaped = "\"\\\n\r\t\f\b";
  constexpr std::string_view names = "\"\\nrtfb";
  std::string out = "\"";
  for_each_character(text, [&](char32_t c) {
    const auto code = static_cast<std::uint32_t>(c);
    const std::size_t named =
        c < 0x80 ? escaped.find(static_cast<char>(c)) : std::string_view::npos;
    if (named != std::string_view::npos) {
      out += '\\';
      out += names[named];
    } else if (c < 0x20 || (ensure_ascii && c > 0x7E && c < 0x10000)) {
      out += fmt::format("\\u{:04x}", code);
    } else if (ensure_ascii && c >= 0x10000) {
      const std::uint32_t rest = code - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
    } else {
      utf8::append(out, c);
    }
  });
  return out += '"';
}

bool all_of_class(std::string_view text, CharacterClass wanted) {
  bool all = !text.empty();
  for_each_character(text, [&](char32_t c) {
    const bool digit = category(c) == UTF8PROC_CATEGORY_ND;
    switch (wanted) {
      case CharacterClass::kDigit:
        all = all && digit;
        break;
      case CharacterClass::kAlpha:
        all = all && is_alpha(c);
        break;
      case CharacterClass::kAlphanumeric:
        all = all && (digit || is_alpha(c));
        break;
      case CharacterClass::kSpace:
        all = all && is_space(c);
        break;
    }
  });
  return all;
}

bool all_cased(std::string_view text, bool want_upper) {
  bool any = false;
  bool all = true;
  for_each_character(text, [&](char32_t c) {
    if (!is_cased(c)) return;
    any = true;
    all = all && (want_upper ? is_upper(c) : is_lower(c));
  });
  return any && all;
}

}  // namespace gladius::text::jinja
