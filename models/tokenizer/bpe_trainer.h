// Learns the merges of byte pair encoding from counted words.
// Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gladius/models/tokenizer/token_ids.h"

namespace gladius::text {

struct BpeTrainerOptions {
  std::size_t vocab_size = 30000;  ///< of the result, with special tokens and alphabet
  std::int64_t min_frequency = 0;  ///< of a pair that is merged
  std::vector<std::string> special_tokens = {};    ///< the first ids, in this order
  std::string initial_alphabet = {};               ///< characters that get a token in any case
  std::optional<std::size_t> limit_alphabet = {};  ///< keeps the most frequent characters only
};

/// What is learnt: tokens by id, and the pairs of ids to merge, the first before the others.
struct BpeVocabulary {
  std::vector<std::string> tokens;
  std::vector<std::pair<std::int32_t, std::int32_t>> merges;
};

/// The BpeTrainer of the reference library `tokenizers`, with the same result: special tokens, the
/// characters by code point, then again and again the most frequent pair (of several the one with
/// the lower ids) merged in all words, until the vocabulary is full or no pair is frequent enough.
///
/// The time is that of one pass over the different words, and of O(log n) for each place where a
/// pair is merged: near-linear in the text.
class BpeTrainer {
 public:
  /// Counts `word` (valid UTF-8); no merge goes beyond a word.
  void add_word(std::string_view word);

  /// Different words so far.
  std::size_t words() const { return counts_.size(); }

  /// ConfigError when special tokens and alphabet leave no room for the vocabulary size. Calls
  /// `progress` with the size of the vocabulary after each new token.
  BpeVocabulary train(const BpeTrainerOptions& options,
                      const std::function<void(std::size_t)>& progress = {}) const;

 private:
  TokenIds words_;  // numbered from 0
  std::vector<std::int64_t> counts_;
};

}  // namespace gladius::text
