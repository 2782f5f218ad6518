// A tokenizer for your own texts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/tokenizer/bpe_trainer.h"
#include "gladius/models/tokenizer/tokenizer_layout.h"

namespace gladius::text {

struct TokenizerTrainerOptions {
  TokenizerKind kind = TokenizerKind::llama;
  std::size_t vocab_size = 32000;
  std::int64_t min_frequency = 0;  ///< of a pair that is merged
  std::string alphabet = {};       ///< llama: more characters that always have a token
  std::optional<std::size_t> limit_alphabet = {};  ///< llama: characters with a token, at most
  std::vector<std::string> special_tokens = {};    ///< behind the kind's own
  std::string eos_token = {};                      ///< "": the kind's own
  std::string split = {};                          ///< see tokenizer_layout
};

/// Cuts texts into words as the tokenizer to be will, and learns its vocabulary from them.
class TokenizerTrainer {
 public:
  /// ConfigError for an expression that cannot be compiled and for options that are not the kind's.
  explicit TokenizerTrainer(TokenizerTrainerOptions options);

  /// Counts the words of a text, which is normalised by itself (Llama's gets a space before it).
  void add(std::string_view text);
  /// The same for a text in which special tokens are to be found, as in an encoded one: what stands
  /// between them.
  void add_with_special_tokens(std::string_view text);

  /// Different words so far.
  std::size_t words() const { return words_.words(); }

  /// See BpeTrainer::train.
  BpeVocabulary train(const std::function<void(std::size_t)>& progress = {}) const;

  /// Of the tokenizer that train() gives.
  const TokenizerLayout& layout() const { return layout_; }

 private:
  struct Stages;

  TokenizerTrainerOptions options_;
  TokenizerLayout layout_;
  std::shared_ptr<const Stages> stages_;
  BpeTrainer words_;
};

}  // namespace gladius::text
