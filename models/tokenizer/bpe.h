// Byte pair encoding with ranked merges and byte fallback.
// Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gladius/models/tokenizer/flat_map.h"
#include "gladius/models/tokenizer/token_ids.h"
#include "gladius/models/tokenizer/word_cache.h"

namespace gladius::text {

/// The two tokens of entry `index` of the list of merges: "left right", or since tokenizers 0.20
/// ["left", "right"]; views of it. FormatError for anything else.
std::pair<std::string_view, std::string_view> parts_of_merge(const nlohmann::json& merge,
                                                             std::size_t index);

/// The "model" of a tokenizer.json of type BPE. Immutable after construction.
class Bpe {
 public:
  /// FormatError for a malformed model, ConfigError for an option that is not supported.
  explicit Bpe(const nlohmann::json& model);

  /// Appends the tokens of `word` (UTF-8, under 2 GiB). Words stay in `cache`, which belongs to
  /// this model. The time is linear in the length of all but contrived words, and O(n log n) in
  /// that of any.
  void encode(std::string_view word, WordCache& cache, std::vector<WordToken>& tokens) const;

  const TokenIds& vocab() const { return vocab_; }

 private:
  struct Merge {
    std::uint32_t rank;
    std::int32_t id;
  };
  struct WindowToken {
    WordToken token;
    std::uint32_t symbols;  // that it was merged from
    bool operator==(const WindowToken&) const = default;
  };

  void read_vocab(const nlohmann::json& vocab);
  void read_merges(const nlohmann::json& merges);
  bool joinable(std::string_view left, std::string_view right) const;
  // Whether a character is looked up by its place in the word too.
  bool marks_places() const { return !prefix_.empty() || !suffix_.empty(); }
  std::string_view symbol_at(std::string_view word, std::size_t pos, std::string& buffer) const;
  std::int32_t find_symbol(std::string_view symbol) const;
  [[noreturn]] void refuse_unknown(std::string_view symbol) const;
  std::int32_t find_character(std::string_view character) const;
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;

  void encode_part(std::string_view part, WordCache& cache, std::vector<WordToken>& tokens) const;
  void split_into_symbols(std::string_view word, std::vector<WordToken>& symbols) const;
  void merge_short(std::vector<WordToken>& symbols, std::size_t begin) const;
  std::vector<WindowToken> merge_window(std::span<const WordToken> symbols) const;
  void merge_long(std::vector<WordToken>& symbols, std::size_t begin) const;

  TokenIds vocab_;
  FlatMap<std::int32_t> characters_;  // the vocabulary's single characters by code point
  FlatMap<Merge> merges_;             // by pair of ids
  std::vector<std::int32_t> merged_;  // result of a merge by rank
  // Pairs of characters between which a merge can ever happen; text is cut elsewhere, so that a
  // long text without pre-tokenizer is many short words.
  FlatMap<bool> joinable_;
  std::vector<std::int32_t> byte_ids_;  // ids of <0x00> to <0xFF>, -1 where there is none
  std::string prefix_, suffix_;         // of characters after the first, and of the last
  std::string unk_token_;
  std::int32_t unk_ = -1;
  bool fuse_unk_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
  bool bytes_stand_alone_ = false;  // any character has byte tokens, and no merge takes them
};

}  // namespace gladius::text
