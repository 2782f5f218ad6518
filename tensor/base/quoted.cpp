#include "gladius/tensor/base/quoted.h"

#include <fmt/format.h>

#include <cstdint>

#include "gladius/tensor/base/utf8.h"

namespace gladius {
namespace {

constexpr std::string_view kCut = "...";

// Controls (C0, DEL, C1), separators of lines, marks and isolates of direction, the byte order
// mark.
bool is_hidden(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

std::string escaped(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  const auto value = static_cast<std::uint32_t>(c);
  return value < 0x100 ? fmt::format("\\x{:02x}", value) : fmt::format("\\u{:04x}", value);
}

// Takes one character, or one byte that is none, off `text`: as a message shows it.
std::string take_character(std::string_view& text) {
  const std::size_t length = utf8::valid_length(text, 0);
  const std::string_view character = text.substr(0, length == 0 ? 1 : length);
  text.remove_prefix(character.size());
  if (length == 0) return escaped(static_cast<unsigned char>(character[0]));
  const char32_t c = utf8::code_point(character, 0);
  return is_hidden(c) ? escaped(c) : std::string(character);
}

std::string escaped_in_quotes(std::string shown) {
  return shown == "\"" || shown == "\\" ? "\\" + shown : shown;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string line;
  while (!text.empty()) line += take_character(text);
  return line;
}

std::string shortened(std::string_view text) {
  std::string line;
  std::size_t kept = 0;  // bytes that fit with kCut behind them
  while (!text.empty()) {
    line += take_character(text);
    if (line.size() + kCut.size() <= kMostQuoted) kept = line.size();
    if (line.size() > kMostQuoted) return line.substr(0, kept).append(kCut);
  }
  return line;
}

std::string in_quotes(std::string_view text) {
  std::string line = "\"";
  std::size_t kept = line.size();  // bytes that fit with the quote and kCut behind them
  while (!text.empty()) {
    line += escaped_in_quotes(take_character(text));
    if (line.size() + 1 + kCut.size() <= kMostQuoted) kept = line.size();
    if (line.size() + 1 > kMostQuoted) return line.substr(0, kept).append("\"").append(kCut);
  }
  return line.append("\"");
}

}  // namespace gladius
