// JSON's text byte by byte: white space, the characters of strings, values written out. For this
// folder.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace gladius::train {

using Byte = unsigned char;

/// How far a run of white space is. A run is nothing, one space, or one newline and up to 16 spaces
/// (an indentation), so that no text goes on in blanks for ever.
inline constexpr std::uint32_t kSpaceBegins = 0, kSpaceEnds = 17, kNoSpace = 18;
constexpr std::uint32_t after_space(std::uint32_t at, Byte byte) {
  if (at == kSpaceBegins) return byte == ' ' ? kSpaceEnds : byte == '\n' ? 1 : kNoSpace;
  return byte == ' ' && at < kSpaceEnds ? at + 1 : kNoSpace;
}

/// How far a character of a string is: not begun, or within UTF-8's bytes or an escape.
enum class Character : std::uint8_t {
  none,   // between characters
  one,    // one more byte of UTF-8 follows
  two,    // two more
  three,  // three more
  e0,     // after E0, whose second byte has a range of its own; and so on
  ed,
  f0,
  f4,
  escape,  // after a backslash
  hex,     // after \u
  hex_d,   // after \ud: no surrogates, for which two escapes would have to fit each other
  hex2,    // after \u and one digit
  hex3,
  hex4,
  wrong,  // the byte cannot come here
};

/// After one more byte; a quotation mark between characters is for the caller.
Character after_byte(Character at, Byte byte);
/// The fewest bytes that complete it.
std::int64_t rest_of(Character at);

/// The value as it is written where nothing else will do (enum, const, names): without white space,
/// and "<\/" for "</" in texts, as in all strings, so that an answer within tags of markup
/// (<tool_call>) cannot end them.
std::string written(const nlohmann::ordered_json& value);

}  // namespace gladius::train
