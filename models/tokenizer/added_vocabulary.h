// The added tokens of a tokenizer: which ids they have, and where they stand in a text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "gladius/models/tokenizer/added_tokens.h"
#include "gladius/models/tokenizer/token_ids.h"

namespace gladius::text {

/// Immutable after construction.
class AddedVocabulary {
 public:
  struct Options {
    std::function<std::string(const std::string&)> normalize;  ///< the tokenizer's normalizer
    bool splits_special_tokens = false;  ///< special tokens are not looked for in texts
  };

  /// As in the reference, a token has the id that the model's vocabulary gives it, else the next
  /// free one, whatever `tokens` says; where that differs, note() says so. A token that is listed
  /// again has the flags that come last, but once special it stays so.
  AddedVocabulary(const std::vector<AddedToken>& tokens, const TokenIds& model,
                  const Options& options);

  struct Token {
    std::int32_t id;
    std::string content;
    std::string text;  ///< in decoded text: normalized where it was ever looked for so
  };
  const std::vector<Token>& tokens() const { return tokens_; }
  bool contains(std::int32_t id) const { return ids_.contains(id); }
  /// The id of a token by its content as listed, or -1.
  std::int32_t find(std::string_view content) const { return by_content_.find(content); }
  bool is_special(std::int32_t id) const { return special_.contains(id); }

  const AddedTokenMatcher& in_text() const { return in_text_; }
  const AddedTokenMatcher& in_normalized() const { return in_normalized_; }
  /// "" where each token has the id that it is listed with.
  const std::string& note() const { return note_; }

 private:
  std::int32_t id_for(const AddedToken& token, const TokenIds& model) const;
  void note_ids(const std::vector<AddedToken>& tokens);

  std::vector<Token> tokens_;
  std::unordered_set<std::int32_t> ids_, special_;
  std::int32_t largest_id_ = -1;
  TokenIds by_content_;
  AddedTokenMatcher in_text_;        // tokens looked for in the text as it came
  AddedTokenMatcher in_normalized_;  // and in the normalised text
  std::string note_;
};

}  // namespace gladius::text
