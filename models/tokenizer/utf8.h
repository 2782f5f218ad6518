// UTF-8, as the tokenizer's parts need it: lengths of characters, validity, the White_Space set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gladius::utf8 {

/// U+FFFD, what stands for bytes that are not UTF-8.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Bytes of the character that starts with `lead`; the text must be valid.
inline std::size_t char_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Code point of the character at `pos`; the text must be valid.
inline char32_t code_point(std::string_view text, std::size_t pos) {
  const std::size_t length = char_length(text[pos]);
  const auto lead = static_cast<unsigned char>(text[pos]);
  char32_t value = length == 1 ? lead : lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    value = value << 6 | (static_cast<unsigned char>(text[pos + i]) & 0x3Fu);
  }
  return value;
}

/// Offset of the first byte that is not UTF-8 (overlong forms and surrogates are not), else npos.
inline std::size_t find_invalid(std::string_view text) {
  std::size_t pos = 0;
  while (pos < text.size()) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[pos + i]); };
    if (byte(0) < 0x80) {
      ++pos;
      continue;
    }
    const std::size_t length = char_length(text[pos]);
    if (byte(0) < 0xC2 || byte(0) > 0xF4 || length > text.size() - pos) return pos;
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(i) & 0xC0) != 0x80) return pos;
    }
    const char32_t value = code_point(text, pos);
    if ((length == 3 && (value < 0x800 || (value >= 0xD800 && value < 0xE000))) ||
        (length == 4 && (value < 0x10000 || value > 0x10FFFF))) {
      return pos;
    }
    pos += length;
  }
  return std::string_view::npos;
}

/// Appends the character `value`.
inline void append(std::string& out, char32_t value) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | value >> 6);
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | value >> 12);
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | value >> 18);
    put(0x80 | (value >> 12 & 0x3F));
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

/// Unicode's White_Space property, the regular expressions' \s.
inline bool is_white_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

/// `text` with every occurrence of `from` (not empty) replaced.
inline std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  std::size_t pos = 0;
  for (std::size_t hit; (hit = text.find(from, pos)) != std::string_view::npos;) {
    out.append(text, pos, hit - pos).append(to);
    pos = hit + from.size();
  }
  return out.append(text, pos);
}

}  // namespace gladius::utf8
