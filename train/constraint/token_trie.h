// The bytes of a vocabulary's tokens, arranged for walks along an automaton.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/train/constraint/automaton.h"

namespace gladius::train {

/// A bit for each token.
class TokenSet {
 public:
  using Word = std::uint64_t;
  static constexpr std::size_t kWordBits = 64;

  explicit TokenSet(std::int64_t tokens = 0)
      : words_((static_cast<std::size_t>(tokens) + kWordBits - 1) / kWordBits) {}

  void insert(std::int32_t id) { words_[place(id)] |= bit(id); }
  void erase(std::int32_t id) { words_[place(id)] &= ~bit(id); }
  void insert(const TokenSet& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  bool is_empty() const {
    return std::ranges::all_of(words_, [](Word word) { return word == 0; });
  }
  /// Bits of tokens from kWordBits * index on; none beyond the tokens.
  Word word(std::size_t index) const { return index < words_.size() ? words_[index] : 0; }

 private:
  static std::size_t place(std::int32_t id) { return static_cast<std::size_t>(id) / kWordBits; }
  static Word bit(std::int32_t id) { return Word{1} << (static_cast<std::size_t>(id) % kWordBits); }

  std::vector<Word> words_;
};

/// Tokens with bytes, as a tree: what tokens have in common at their beginning is walked once.
class TokenTrie {
 public:
  TokenTrie() = default;
  /// Of the tokens `ids`, whose bytes are at their places in `bytes`.
  TokenTrie(const std::vector<std::string>& bytes, std::vector<std::int32_t> ids);

  /// visit(id, state) for each token that may come, with the state after it.
  template <class Visit>
  void walk(Automaton& automaton, Automaton::State from, const Visit& visit) const;
  /// visit(ids, length) for each beginning of the text that tokens are.
  template <class Visit>
  void prefixes(std::string_view text, const Visit& visit) const;

 private:
  struct Place {
    unsigned char byte;
    std::uint32_t depth;        // bytes, this one included
    std::uint32_t end;          // of the places below
    std::uint32_t first, last;  // the tokens that end here
  };

  std::vector<Place> places_;      // each before those below it
  std::vector<std::int32_t> ids_;  // sorted by their bytes
  std::uint32_t deepest_ = 0;
};

/// A tokenizer's tokens as constrained answers use them. Immutable: threads may share one.
class TokenVocabulary {
 public:
  /// Without special tokens, which are no part of a text.
  explicit TokenVocabulary(const text::TokenBytes& tokens);
  /// The bytes of each token within a text, and at its beginning; "" for tokens without any.
  TokenVocabulary(std::vector<std::string> within, std::vector<std::string> at_start);

  std::int64_t size() const { return std::ssize(within_); }
  const std::string& bytes(std::int32_t id, bool at_start) const {
    return (at_start ? at_start_ : within_)[static_cast<std::size_t>(id)];
  }
  const TokenTrie& all() const { return all_; }
  /// All but the plain ones: of whole characters, which may stand anywhere in a string.
  const TokenTrie& rest() const { return rest_; }
  /// The plain tokens of so many characters, from 1 to longest_plain().
  std::span<const std::int32_t> plain(std::int64_t characters) const {
    return plain_[static_cast<std::size_t>(characters)];
  }
  std::int64_t longest_plain() const { return std::ssize(plain_) - 1; }
  /// Those of up to so many, at most longest_plain().
  TokenSet plain_up_to(std::int64_t characters) const;
  /// Tokens whose bytes are others at the beginning of a text.
  std::span<const std::int32_t> other_at_start() const { return other_at_start_; }
  /// The most bytes that a string goes on with in one of rest().
  std::int64_t longest_rest() const { return longest_rest_; }
  /// Whether the byte is a token.
  bool has_byte(int byte) const { return has_byte_.test(static_cast<std::size_t>(byte)); }

 private:
  void arrange();

  std::vector<std::string> within_, at_start_;
  TokenTrie all_, rest_;
  std::vector<std::vector<std::int32_t>> plain_;
  std::vector<std::int32_t> other_at_start_;
  std::vector<TokenSet> plain_up_to_;  // of the common lengths
  std::int64_t longest_rest_ = 0;
  std::bitset<256> has_byte_;
};

template <class Visit>
void TokenTrie::walk(Automaton& automaton, Automaton::State from, const Visit& visit) const {
  std::vector<Automaton::State> states(deepest_ + 1);
  states[0] = from;
  for (std::size_t i = 0; i < places_.size();) {
    const Place& place = places_[i];
    const Automaton::State next = automaton.step(states[place.depth - 1], place.byte);
    if (next == Automaton::kDead) {
      i = place.end;
      continue;
    }
    states[place.depth] = next;
    for (std::uint32_t at = place.first; at < place.last; ++at) visit(ids_[at], next);
    ++i;
  }
}

template <class Visit>
void TokenTrie::prefixes(std::string_view text, const Visit& visit) const {
  std::size_t depth = 0;
  std::uint32_t end = static_cast<std::uint32_t>(places_.size());
  for (std::uint32_t i = 0; i < end && depth < text.size();) {
    const Place& place = places_[i];
    if (place.byte != static_cast<unsigned char>(text[depth])) {
      i = place.end;
      continue;
    }
    ++depth;
    if (place.first < place.last) {
      visit(std::span(ids_).subspan(place.first, place.last - place.first), depth);
    }
    end = place.end;
    ++i;
  }
}

}  // namespace gladius::train
