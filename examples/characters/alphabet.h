// The characters of a text as token ids.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// A character is a byte with the bytes that continue it in UTF-8 (10xxxxxx). Joined they are the
// text again, even if that is not UTF-8.
inline std::vector<std::string> characters_of(std::string_view text) {
  std::vector<std::string> characters;
  for (const char byte : text) {
    const bool continues = (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
    if (continues && !characters.empty()) {
      characters.back() += byte;
    } else {
      characters.emplace_back(1, byte);
    }
  }
  return characters;
}

// Ids 0, 1, ... for the different characters of a text, in the order in which they first occur.
class Alphabet {
 public:
  explicit Alphabet(std::string_view text) {
    for (const std::string& character : characters_of(text)) {
      const auto id = static_cast<std::int32_t>(characters_.size());
      if (ids_.try_emplace(character, id).second) characters_.push_back(character);
    }
  }

  std::int64_t size() const { return std::ssize(characters_); }

  // std::out_of_range for a character that the alphabet lacks.
  std::vector<std::int32_t> encode(std::string_view text) const {
    std::vector<std::int32_t> ids;
    for (const std::string& character : characters_of(text)) ids.push_back(ids_.at(character));
    return ids;
  }

  std::string decode(const std::vector<std::int32_t>& ids) const {
    std::string text;
    for (const std::int32_t id : ids) text += characters_.at(static_cast<std::size_t>(id));
    return text;
  }

 private:
  std::vector<std::string> characters_;  // by id
  std::map<std::string, std::int32_t> ids_;
};
