#include "gladius/train/report/hub/yaml.h"

#include <fmt/format.h>

#include "gladius/models/tokenizer/utf8.h"

namespace gladius::train {
namespace {

// What YAML may not hold as it stands, takes for the end of a line, or cuts off: control
// characters, separators of lines and paragraphs, the byte order mark, no characters.
bool needs_escape(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF ||
         (c & 0xFFFE) == 0xFFFE;
}

std::string yaml_escape(char32_t c) {
  const auto value = static_cast<std::uint32_t>(c);
  return value > 0xFFFF ? fmt::format("\\U{:08X}", value) : fmt::format("\\u{:04X}", value);
}

}  // namespace

std::string yaml_string(std::string_view text) {
  const std::string valid = utf8::repair(text);
  std::string quoted = "\"";
  for (std::size_t pos = 0; pos < valid.size(); pos += utf8::char_length(valid[pos])) {
    const char32_t c = utf8::code_point(valid, pos);
    if (needs_escape(c)) {
      quoted += c == '\n' ? "\\n" : yaml_escape(c);
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += valid.substr(pos, utf8::char_length(valid[pos]));
  }
  return quoted + "\"";
}

}  // namespace gladius::train
