// UTF-8: the characters of a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gladius::utf8 {

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

/// Bytes of the valid character at `pos`, or 0 (overlong forms and surrogates are not valid).
inline std::size_t valid_length(std::string_view text, std::size_t pos) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  if (byte(0) < 0x80) return 1;
  const std::size_t length = char_length(text[pos]);
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || length > text.size() - pos) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const char32_t value = code_point(text, pos);
  if (length == 3 && (value < 0x800 || (value >= 0xD800 && value < 0xE000))) return 0;
  if (length == 4 && (value < 0x10000 || value > 0x10FFFF)) return 0;
  return length;
}

/// Offset of the first byte that is not UTF-8, else npos.
inline std::size_t find_invalid(std::string_view text) {
  std::size_t pos = 0;
  while (pos < text.size()) {
    std::uint64_t eight = 0;
    if (text.size() - pos >= sizeof eight) std::memcpy(&eight, text.data() + pos, sizeof eight);
    if (text.size() - pos >= sizeof eight && (eight & 0x8080808080808080u) == 0) {
      pos += sizeof eight;
      continue;
    }
    const std::size_t length = valid_length(text, pos);
    if (length == 0) return pos;
    pos += length;
  }
  return std::string_view::npos;
}

}  // namespace gladius::utf8
