#include "gladius/models/tokenizer/bpe_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "gladius/models/tokenizer/pair_queue.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"

namespace gladius::text {
namespace {

using Position = PairQueue::Position;

// Tokens and their ids; the first with a text keeps it.
class Vocabulary {
 public:
  std::int32_t add(const std::string& token) {
    const std::int32_t known = ids_.find(token);
    if (known >= 0) return known;
    ids_.add(token, static_cast<std::int32_t>(tokens_.size()));
    tokens_.push_back(token);
    return static_cast<std::int32_t>(tokens_.size() - 1);
  }
  std::int32_t find(std::string_view token) const { return ids_.find(token); }
  const std::string& operator[](std::int32_t id) const {
    return tokens_[static_cast<std::size_t>(id)];
  }
  std::size_t size() const { return tokens_.size(); }
  std::vector<std::string> take() { return std::move(tokens_); }

 private:
  TokenIds ids_;
  std::vector<std::string> tokens_;
};

template <class Use>
void for_each_character(std::string_view text, Use use) {
  for (std::size_t pos = 0, length; pos < text.size(); pos += length) {
    length = utf8::char_length(text[pos]);
    use(text.substr(pos, length));
  }
}

// The words' characters in one row, a border before, between and behind them. A token that was
// merged stands at its first place, the other places are empty; its length stands at both ends, so
// that its neighbours are found at once.
class Symbols {
 public:
  static constexpr std::int32_t kBorder = -2;

  Symbols() { append(kBorder); }

  void append(std::int32_t id) {
    if (ids_.size() == std::numeric_limits<Position>::max()) {
      throw Error(
          "tokenizer: the different words have over 4,294,967,295 characters together; "
          "train on less text");
    }
    ids_.push_back(id);
    lengths_.push_back(1);
    words_.push_back(word_);
    word_ += id == kBorder;
  }

  std::size_t size() const { return ids_.size(); }
  std::int32_t id(Position at) const { return ids_[at]; }
  Position next(Position at) const { return at + lengths_[at]; }
  Position previous(Position at) const { return at - lengths_[at - 1]; }
  /// Number of the word, from 1.
  std::uint32_t word(Position at) const { return words_[at]; }

  /// Makes one token of those at `at` and behind it.
  void join(Position at, std::int32_t id) {
    const Position second = next(at);
    const std::uint32_t length = lengths_[at] + lengths_[second];
    ids_[second] = kEmpty;
    ids_[at] = id;
    lengths_[at] = lengths_[at + length - 1] = length;
  }

 private:
  static constexpr std::int32_t kEmpty = -1;
  std::vector<std::int32_t> ids_;
  std::vector<std::uint32_t> lengths_, words_;
  std::uint32_t word_ = 0;
};

class Training {
 public:
  Training(const TokenIds& words, const std::vector<std::int64_t>& counts,
           const BpeTrainerOptions& options)
      : words_(words), counts_(counts), options_(options) {
    for (const std::string& token : options.special_tokens) vocabulary_.add(token);
    const std::size_t special = vocabulary_.size();
    add_alphabet();
    if (vocabulary_.size() > options.vocab_size) {
      throw ConfigError(fmt::format(
          "tokenizer: a vocabulary of {} has no room for {} special tokens and an alphabet of {}; "
          "at least {} is needed (or a smaller alphabet: limit_alphabet)",
          options.vocab_size, special, vocabulary_.size() - special, vocabulary_.size()));
    }
    read_words();
  }

  BpeVocabulary run(const std::function<void(std::size_t)>& progress) {
    while (vocabulary_.size() < options_.vocab_size) {
      const auto pair = queue_.pop(std::max<std::int64_t>(options_.min_frequency, 1));
      if (!pair) break;
      merge(*pair);
      if (progress) progress(vocabulary_.size());
    }
    return {vocabulary_.take(), last_of_each(merges_)};
  }

 private:
  // The characters in the order of their code points.
  void add_alphabet() {
    std::vector<std::int64_t> frequency(0x110000);
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for_each_character(words_[i].text, [&](std::string_view character) {
        frequency[utf8::code_point(character, 0)] += counts_[i];
      });
    }
    for_each_character(options_.initial_alphabet, [&](std::string_view character) {
      frequency[utf8::code_point(character, 0)] = std::numeric_limits<std::int64_t>::max();
    });
    std::vector<char32_t> alphabet;
    for (char32_t c = 0; c < frequency.size(); ++c) {
      if (frequency[c] > 0) alphabet.push_back(c);
    }
    if (options_.limit_alphabet && alphabet.size() > *options_.limit_alphabet) {
      std::ranges::stable_sort(alphabet, std::ranges::greater(),
                               [&](char32_t c) { return frequency[c]; });
      alphabet.resize(*options_.limit_alphabet);
      std::ranges::sort(alphabet);
    }
    for (const char32_t c : alphabet) {
      std::string token;
      utf8::append(token, c);
      vocabulary_.add(token);
    }
  }

  // Characters outside of the alphabet are skipped.
  void read_words() {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for_each_character(words_[i].text, [&](std::string_view character) {
        const std::int32_t id = vocabulary_.find(character);
        if (id >= 0) symbols_.append(id);
      });
      symbols_.append(Symbols::kBorder);
    }
    for (Position at = 1; at + 1 < symbols_.size(); ++at) count(at, symbols_.next(at), 1);
    queue_.end_round();
  }

  // Counts the pair of two neighbours once more or once less for each time its word occurs.
  void count(Position left, Position right, int sign) {
    if (symbols_.id(left) == Symbols::kBorder || symbols_.id(right) == Symbols::kBorder) return;
    queue_.count(symbols_.id(left), symbols_.id(right), sign * counts_[symbols_.word(left) - 1],
                 left);
  }

  void merge(const PairQueue::Pair& pair) {
    const std::int32_t id = vocabulary_.add(vocabulary_[pair.left] + vocabulary_[pair.right]);
    merges_.emplace_back(pair.left, pair.right);
    const auto word = [&](Position at) { return symbols_.word(at); };
    for (const Position at : queue_.take_positions(pair, word)) {
      if (symbols_.id(at) != pair.left || symbols_.id(symbols_.next(at)) != pair.right) continue;
      const Position before = symbols_.previous(at), second = symbols_.next(at),
                     behind = symbols_.next(second);
      count(before, at, -1);
      count(second, behind, -1);
      symbols_.join(at, id);
      count(before, at, 1);
      count(at, behind, 1);
    }
    queue_.end_round();
  }

  // A pair can come up again, where its tokens come about in another way: the later place counts.
  static std::vector<std::pair<std::int32_t, std::int32_t>> last_of_each(
      const std::vector<std::pair<std::int32_t, std::int32_t>>& merges) {
    std::unordered_set<std::uint64_t> seen;
    std::vector<std::pair<std::int32_t, std::int32_t>> kept;
    for (auto merge = merges.rbegin(); merge != merges.rend(); ++merge) {
      const auto [left, right] = *merge;
      const auto key =
          pair_key(static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right));
      if (seen.insert(key).second) kept.push_back(*merge);
    }
    std::ranges::reverse(kept);
    return kept;
  }

  const TokenIds& words_;
  const std::vector<std::int64_t>& counts_;
  const BpeTrainerOptions& options_;
  Vocabulary vocabulary_;
  Symbols symbols_;
  PairQueue queue_;
  std::vector<std::pair<std::int32_t, std::int32_t>> merges_;
};

}  // namespace

void BpeTrainer::add_word(std::string_view word) {
  std::int32_t number = words_.find(word);
  if (number < 0) {
    number = static_cast<std::int32_t>(words_.size());
    words_.add(word, number);
    counts_.push_back(0);
  }
  ++counts_[static_cast<std::size_t>(number)];
}

BpeVocabulary BpeTrainer::train(const BpeTrainerOptions& options,
                                const std::function<void(std::size_t)>& progress) const {
  return Training(words_, counts_, options).run(progress);
}

}  // namespace gladius::text
