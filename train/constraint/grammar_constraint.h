// Generation of texts that fit a grammar.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gladius/models/generation/token_constraint.h"
#include "gladius/train/constraint/automaton.h"
#include "gladius/train/constraint/grammar.h"
#include "gladius/train/constraint/token_trie.h"

namespace gladius::train {

/// Lets those tokens come after which the text can still be whole with the tokens that are left.
/// Masks are kept by the automaton's state. For one text after the other (restart()).
class GrammarConstraint : public TokenConstraint {
 public:
  /// `end_tokens` may come where the text may end, and nothing else after them. FormatError where
  /// no text fits the grammar, ConfigError where the vocabulary has no tokens for the text.
  GrammarConstraint(std::shared_ptr<const TokenVocabulary> vocabulary, Grammar grammar,
                    std::vector<std::int32_t> end_tokens);

  /// Another text begins; behind other text if not `at_start`.
  void restart(bool at_start = true);
  /// Tokens that suffice for a whole text if these bytes come next; kNever where they cannot.
  std::int64_t fewest_tokens_behind(std::string_view bytes);
  /// These bytes, which may come, have come.
  void advance_bytes(std::string_view bytes);
  /// Whether the text so far is whole.
  bool is_whole() const { return automaton_.accepts(state_); }
  /// Tokens, without one for the end, that suffice for a whole text from here.
  std::int64_t fewest_tokens() { return fewest_tokens(state_); }

  /// ConfigError where fewer than fewest_tokens() are left.
  bool is_finished(std::int64_t left) override;
  void mask(std::span<float> logits, std::int64_t left) override;
  void advance(std::int32_t id) override;

 private:
  using State = Automaton::State;
  struct Mask {
    TokenSet tokens;
    bool is_empty = true;
    std::int64_t most_needed = 0;  // tokens that suffice for a whole text after any of them
  };

  bool is_end(std::int32_t id) const;
  // The mask of the state for so many tokens, kept for the next time if the number does not matter.
  const Mask& mask_for(std::int64_t left);
  Mask make_mask(std::optional<std::int64_t> left);
  Mask make_string_mask();
  // Tokens that suffice for a whole text from there.
  std::int64_t sufficient_tokens(State state);
  void add_first_tokens(const auto& add);
  void add_tokens(const auto& add);
  // Of `id`, which begins the text where `at_start`; kDead where it cannot come.
  State after_bytes(State from, std::string_view bytes);
  State after_token(State from, std::int32_t id, bool at_start);
  std::int64_t fewest_tokens(State state);
  void count_tokens(State state);
  std::int64_t& known_tokens(State state);
  void forget_if_large();

  std::shared_ptr<const TokenVocabulary> vocabulary_;
  Automaton automaton_;
  std::vector<std::int32_t> end_tokens_;
  bool bytes_suffice_;  // every byte has a token that may come: as many tokens as bytes do
  State state_;
  bool at_start_ = true, ended_ = false;
  std::unordered_map<State, Mask> masks_, rest_masks_;  // the latter of tokens that are not plain
  std::vector<std::int64_t> tokens_;  // fewest_tokens() by state; -1 where not known
  Mask last_;                         // one that is not kept
  std::optional<std::pair<State, std::int64_t>> last_for_;
};

}  // namespace gladius::train
