#include "gladius/train/constraint/json_text.h"

#include <nlohmann/json.hpp>

#include "gladius/models/tokenizer/utf8.h"

namespace gladius::train {
namespace {

constexpr bool is_between(Byte byte, Byte low, Byte high) { return low <= byte && byte <= high; }

constexpr bool is_hex(Byte byte) {
  return is_between(byte, '0', '9') || is_between(byte, 'a', 'f') || is_between(byte, 'A', 'F');
}

Character begun(Byte byte) {
  if (byte < 0x20 || byte == '"') return Character::wrong;
  if (byte == '\\') return Character::escape;
  if (byte < 0x80) return Character::none;
  if (byte < 0xC2 || byte > 0xF4) return Character::wrong;
  if (byte < 0xE0) return Character::one;
  if (byte == 0xE0) return Character::e0;
  if (byte == 0xED) return Character::ed;
  if (byte < 0xF0) return Character::two;
  if (byte == 0xF0) return Character::f0;
  return byte == 0xF4 ? Character::f4 : Character::three;
}

Character escaped(Byte byte) {
  if (byte == 'u') return Character::hex;
  return std::string_view("\"\\/bfnrt").find(static_cast<char>(byte)) != std::string_view::npos
             ? Character::none
             : Character::wrong;
}

Character first_digit(Byte byte) {
  if (byte == 'd' || byte == 'D') return Character::hex_d;
  return is_hex(byte) ? Character::hex2 : Character::wrong;
}

}  // namespace

Character after_byte(Character at, Byte byte) {
  const auto within = [byte](Byte low, Byte high, Character next) {
    return is_between(byte, low, high) ? next : Character::wrong;
  };
  switch (at) {
    case Character::none:
      return begun(byte);
    case Character::one:
      return within(0x80, 0xBF, Character::none);
    case Character::two:
      return within(0x80, 0xBF, Character::one);
    case Character::three:
      return within(0x80, 0xBF, Character::two);
    case Character::e0:
      return within(0xA0, 0xBF, Character::one);
    case Character::ed:
      return within(0x80, 0x9F, Character::one);
    case Character::f0:
      return within(0x90, 0xBF, Character::two);
    case Character::f4:
      return within(0x80, 0x8F, Character::two);
    case Character::escape:
      return escaped(byte);
    case Character::hex:
      return first_digit(byte);
    case Character::hex_d:
      return within('0', '7', Character::hex3);
    case Character::hex2:
      return is_hex(byte) ? Character::hex3 : Character::wrong;
    case Character::hex3:
      return is_hex(byte) ? Character::hex4 : Character::wrong;
    case Character::hex4:
      return is_hex(byte) ? Character::none : Character::wrong;
    case Character::wrong:
      break;
  }
  return Character::wrong;
}

std::int64_t rest_of(Character at) {
  constexpr std::int64_t kRest[] = {0, 1, 2, 3, 2, 2, 3, 3, 1, 4, 3, 3, 2, 1};
  return kRest[static_cast<std::size_t>(at)];
}

std::string written(const nlohmann::ordered_json& value) {
  return utf8::replace_all(value.dump(), "</", "<\\/");
}

}  // namespace gladius::train
