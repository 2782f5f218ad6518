// Byte pair encoding with ranked merges and byte fallback.
// Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gladius {

struct TransparentHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

/// The "model" of a tokenizer.json of type BPE. Immutable after construction.
class Bpe {
 public:
  /// FormatError for a malformed model, ConfigError for an option that is not supported.
  explicit Bpe(const nlohmann::json& model);

  /// Appends the ids of `word` (UTF-8). Time O(n log n) in its length, whatever it holds.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

  /// Token to id, found by std::string_view too.
  using Vocab = std::unordered_map<std::string, std::int32_t, TransparentHash, std::equal_to<>>;
  const Vocab& vocab() const { return vocab_; }

 private:
  struct Merge {
    std::int32_t rank;
    std::int32_t id;
  };

  void read_merges(const nlohmann::json& merges);
  void find_joinable_pairs();
  void split_into_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const;
  void merge_symbols(const std::int32_t* symbols, std::size_t count,
                     std::vector<std::int32_t>& ids) const;
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;
  std::int32_t find(std::string_view token) const;

  Vocab vocab_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  // Pairs of first symbols between which a merge can ever happen; text is cut elsewhere, so that
  // a long text without pre-tokenizer is many short words.
  std::unordered_set<std::uint64_t> joinable_;
  std::vector<std::int32_t> byte_ids_;  // ids of <0x00> to <0xFF>, -1 where there is none
  std::int32_t unk_ = -1;
  bool fuse_unk_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
};

}  // namespace gladius
