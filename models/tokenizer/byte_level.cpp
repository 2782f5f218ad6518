#include "gladius/models/tokenizer/byte_level.h"

#include <array>
#include <utility>

#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/split.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius::text {
namespace {

using tokenizer_json::field_or;

constexpr char kWords[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr int kCharacters = 0x144;  // the last of them is U+0143

// The characters of bytes 0 to 255 in UTF-8, one or two bytes each.
struct Alphabet {
  std::array<std::array<char, 2>, 256> characters{};
  std::array<unsigned char, 256> sizes{};
  std::array<int, kCharacters> bytes{};  // of a code point, -1 where there is none

  Alphabet() {
    bytes.fill(-1);
    int next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
      const int value = printable ? byte : next++;
      std::string character;
      utf8::append(character, static_cast<char32_t>(value));
      const auto at = static_cast<std::size_t>(byte);
      std::copy(character.begin(), character.end(), characters[at].begin());
      sizes[at] = static_cast<unsigned char>(character.size());
      bytes[static_cast<std::size_t>(value)] = byte;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet alphabet;
  return alphabet;
}

std::string_view character_of(char byte) {
  const auto at = static_cast<unsigned char>(byte);
  return {alphabet().characters[at].data(), alphabet().sizes[at]};
}

// Appends the bytes that `token` spells; false, with `out` as it was, if it spells none.
bool append_bytes(std::string_view token, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t pos = 0; pos < token.size(); pos += utf8::char_length(token[pos])) {
    const char32_t value = utf8::code_point(token, pos);
    const int byte = value < kCharacters ? alphabet().bytes[value] : -1;
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(byte));
  }
  return true;
}

Words put_prefix_spaces(Words words) {
  Words out{AlignedText(words.text.tracked()), {}, words.at_start};
  for (const auto [begin, end] : words.ranges) {
    const std::size_t start = out.text.size();
    if (words.text.bytes()[begin] != ' ') out.text.append(" ", words.text.span(begin, begin + 1));
    out.text.append(words.text, begin, end);
    out.ranges.push_back({start, out.text.size()});
  }
  return out;
}

Words to_characters(const Words& words) {
  Words out{AlignedText(words.text.tracked()), {}, words.at_start};
  out.text.reserve(words.text.size() * 2);
  out.ranges.reserve(words.ranges.size());
  for (const auto [begin, end] : words.ranges) {
    const std::size_t start = out.text.size();
    for (std::size_t pos = begin; pos < end; ++pos) {
      out.text.append(character_of(words.text.bytes()[pos]), words.text.span(pos, pos + 1));
    }
    out.ranges.push_back({start, out.text.size()});
  }
  return out;
}

}  // namespace

ByteLevel::ByteLevel(const nlohmann::json& component, const std::string& role)
    : add_prefix_space_(tokenizer_json::field<bool>(component, "add_prefix_space", role)) {
  if (field_or(component, "use_regex", role, true)) regex_ = Regex::from_oniguruma(kWords);
}

Words ByteLevel::pre_tokenize(Words words) const {
  if (add_prefix_space_) words = put_prefix_spaces(std::move(words));
  if (regex_) words = split(std::move(words), *regex_, SplitBehavior::kIsolated, false);
  return to_characters(words);
}

AlignedText to_byte_characters(const AlignedText& text) {
  return to_characters({text, {{0, text.size()}}, true}).text;
}

std::string byte_level_bytes(std::string_view token) {
  std::string bytes;
  return append_bytes(token, bytes) ? bytes : std::string(token);
}

std::string byte_level_alphabet() {
  std::string characters;
  for (int byte = 0; byte < 256; ++byte) characters += character_of(static_cast<char>(byte));
  return characters;
}

void ByteLevelDecoder::operator()(TokenList& tokens, bool last) {
  std::string bytes = std::move(incomplete_);
  incomplete_.clear();
  bytes.reserve(bytes.size() + tokens.bytes.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!append_bytes(tokens[i], bytes)) bytes += tokens[i];
  }
  if (!last) {
    const std::size_t begin = utf8::incomplete_end(bytes);
    incomplete_.assign(bytes, begin);
    bytes.resize(begin);
  }
  tokens = {};
  tokens.bytes =
      utf8::find_invalid(bytes) == std::string::npos ? std::move(bytes) : utf8::repair(bytes);
  if (last) tokens.end_token();
}

}  // namespace gladius::text
