// UTF-8, as the tokenizer's parts need it: validity of texts, repair, the White_Space set.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gladius/tensor/base/utf8.h"

namespace gladius::utf8 {

/// U+FFFD, what stands for bytes that are not UTF-8.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Where the character that ends at `end` (not 0) begins.
inline std::size_t character_before(std::string_view text, std::size_t end) {
  --end;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

/// How many bytes one U+FFFD stands for at `pos`, where no valid character begins: the longest
/// start of a character, else one byte (Unicode 15, section 3.9, "maximal subparts").
inline std::size_t invalid_length(std::string_view text, std::size_t pos) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0xC2 || lead > 0xF4) return 1;
  // The second byte's range keeps overlong forms, surrogates and values over U+10FFFF out.
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  const std::size_t most = std::min(char_length(text[pos]), text.size() - pos);
  std::size_t length = 1;
  while (length < most && byte(length) >= (length == 1 ? low : 0x80) &&
         byte(length) <= (length == 1 ? high : 0xBF)) {
    ++length;
  }
  return length;
}

/// Where a character begins that further bytes may complete, else the size.
inline std::size_t incomplete_end(std::string_view text) {
  if (text.empty()) return 0;
  const std::size_t pos = character_before(text, text.size());
  const bool complete = valid_length(text, pos) > 0 ||
                        static_cast<unsigned char>(text[pos]) < 0xC2 ||
                        static_cast<unsigned char>(text[pos]) > 0xF4;
  return !complete && pos + invalid_length(text, pos) == text.size() ? pos : text.size();
}

/// `text` with U+FFFD for what is not UTF-8.
inline std::string repair(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = std::min(find_invalid(text), text.size());
    out.append(text, 0, valid);
    text.remove_prefix(valid);
    if (text.empty()) break;
    out.append(kReplacement);
    text.remove_prefix(invalid_length(text, 0));
  }
  return out;
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
