// The added tokens of a tokenizer.json, cut out of the text before the model sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gladius {

struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool lstrip = false;      ///< takes the white space before it
  bool rstrip = false;      ///< takes the white space after it
  bool normalized = false;  ///< is looked for in the normalised text
  bool special = false;     ///< is left out of decoded text on request
};

/// Finds added tokens: at each place the longest, from left to right.
class AddedTokenMatcher {
 public:
  /// A part of the text: an added token, or (id -1) text between them.
  struct Part {
    std::int32_t id;
    std::string_view text;
  };

  /// `pattern` is the token's content as it stands in the text that is searched.
  void add(const AddedToken& token, const std::string& pattern);
  std::vector<Part> split(std::string_view text) const;

 private:
  struct Entry {
    std::string pattern;
    AddedToken token;
  };
  std::vector<Entry> by_first_byte_[256];  // longest first
};

/// Reads "added_tokens"; null gives none. `single_word` tokens are refused.
std::vector<AddedToken> read_added_tokens(const nlohmann::json& list);

}  // namespace gladius
