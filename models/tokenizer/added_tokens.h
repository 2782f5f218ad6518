// The added tokens of a tokenizer.json, cut out of the text before the model sees it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/tokenizer/regex.h"

namespace gladius::text {

struct AddedToken {
  std::int32_t id = -1;
  std::string content;
  bool single_word = false;  ///< is not looked for inside words
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space after it
  bool normalized = false;   ///< is looked for in the normalised text
  bool special = false;      ///< is left out of decoded text on request

  /// As in the library tokenizers, whatever the ids are.
  bool operator==(const AddedToken& other) const;
};

/// Finds added tokens: at each place the longest, from left to right.
class AddedTokenMatcher {
 public:
  /// A part of the text: an added token, or (id -1) text between them.
  struct Part {
    std::int32_t id;
    TextRange range;
  };

  /// `pattern` is the token's content as it stands in the text that is searched. What is
  /// `passed_over` hides shorter tokens, but is text.
  void add(const AddedToken& token, const std::string& pattern, bool passed_over = false);
  std::vector<Part> split(std::string_view text) const;

 private:
  struct Entry {
    std::string pattern;
    AddedToken token;
    bool passed_over;
  };
  // The next position from `pos` on where a token may begin, or the text's size.
  std::size_t find_lead(std::string_view text, std::size_t pos) const;

  std::vector<Entry> by_first_byte_[256];  // longest first
  std::string leads_;                      // the first bytes
};

/// Reads the content and the flags of a token; its id stays -1. `Json` is nlohmann::json or
/// nlohmann::ordered_json, `role` names the token in errors.
template <class Json>
AddedToken read_added_token(const Json& entry, const std::string& role);

/// Reads "added_tokens"; null gives none.
std::vector<AddedToken> read_added_tokens(const nlohmann::json& list);

}  // namespace gladius::text
