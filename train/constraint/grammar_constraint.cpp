#include "gladius/train/constraint/grammar_constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

constexpr std::size_t kWordBits = TokenSet::kWordBits;
constexpr std::size_t kMostMaskBytes = std::size_t{64} << 20;
constexpr std::size_t kMostStates = 50'000;  // of a kibibyte each
constexpr float kExcludedLogit = -std::numeric_limits<float>::infinity();

// Beside those of names and constants: the rest of what is begun is written in these.
bool is_on_shortest_ways(int byte) {
  return (byte >= 0x20 && byte < 0x7F) || byte == 0x80 || byte == 0x90 || byte == 0xA0;
}

}  // namespace

GrammarConstraint::GrammarConstraint(std::shared_ptr<const TokenVocabulary> vocabulary,
                                     Grammar grammar, std::vector<std::int32_t> end_tokens)
    : vocabulary_(std::move(vocabulary)),
      automaton_(std::make_shared<const Grammar>(std::move(grammar))),
      end_tokens_(std::move(end_tokens)),
      bytes_suffice_(true),
      state_(automaton_.start()) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool needed = is_on_shortest_ways(byte) ||
                        automaton_.grammar().literal_bytes().test(static_cast<std::size_t>(byte));
    if (needed && !vocabulary_->has_byte(byte)) bytes_suffice_ = false;
  }
  for (const std::int32_t id : end_tokens_) {
    if (id >= 0 && id < vocabulary_->size() && !vocabulary_->bytes(id, false).empty()) {
      bytes_suffice_ = false;
    }
  }
  if (fewest_tokens(state_) >= kNever) {
    throw ConfigError("the vocabulary has no tokens to write an answer that fits the schema");
  }
}

void GrammarConstraint::restart(bool at_start) {
  state_ = automaton_.start();
  at_start_ = at_start;
  ended_ = false;
  forget_if_large();
}

std::int64_t GrammarConstraint::fewest_tokens_behind(std::string_view bytes) {
  const State next = after_bytes(state_, bytes);
  return next == Automaton::kDead ? kNever : fewest_tokens(next);
}

void GrammarConstraint::advance_bytes(std::string_view bytes) {
  const State next = after_bytes(state_, bytes);
  if (next == Automaton::kDead) throw Error("constraint: these bytes cannot come here");
  state_ = next;
}

GrammarConstraint::State GrammarConstraint::after_bytes(State from, std::string_view bytes) {
  for (const char byte : bytes) {
    if (from == Automaton::kDead) break;
    from = automaton_.step(from, static_cast<unsigned char>(byte));
  }
  return from;
}

bool GrammarConstraint::is_end(std::int32_t id) const {
  return std::ranges::count(end_tokens_, id) > 0;
}

bool GrammarConstraint::is_finished(std::int64_t left) {
  if (ended_) return true;
  const bool enough = bytes_suffice_ && left >= automaton_.fewest_bytes(state_);
  if (!enough && left < fewest_tokens(state_)) {
    throw ConfigError(
        fmt::format("{} tokens may be generated; the shortest answer that fits the "
                    "schema has {}",
                    left, fewest_tokens(state_)));
  }
  return mask_for(left).is_empty;
}

void GrammarConstraint::mask(std::span<float> logits, std::int64_t left) {
  const TokenSet& tokens = mask_for(left).tokens;
  std::vector<std::pair<std::int32_t, float>> ends;
  if (is_whole()) {
    for (const std::int32_t id : end_tokens_) {
      if (id >= 0 && id < std::ssize(logits)) {
        ends.emplace_back(id, logits[static_cast<std::size_t>(id)]);
      }
    }
  }
  for (std::size_t word = 0; word * kWordBits < logits.size(); ++word) {
    const TokenSet::Word allowed = tokens.word(word);
    if (allowed == ~std::uint64_t{0}) continue;
    const auto part =
        logits.subspan(word * kWordBits, std::min(kWordBits, logits.size() - word * kWordBits));
    for (std::size_t i = 0; i < part.size(); ++i) {
      if ((allowed >> i & 1) == 0) part[i] = kExcludedLogit;
    }
  }
  for (const auto& [id, logit] : ends) logits[static_cast<std::size_t>(id)] = logit;
}

void GrammarConstraint::advance(std::int32_t id) {
  if (is_whole() && is_end(id)) {
    ended_ = true;
    return;
  }
  const State next = after_token(state_, id, at_start_);
  if (next == Automaton::kDead || is_end(id)) {
    throw Error(fmt::format("constraint: token {} cannot come here", id));
  }
  state_ = next;
  at_start_ = false;
  forget_if_large();
}

GrammarConstraint::State GrammarConstraint::after_token(State from, std::int32_t id,
                                                        bool at_start) {
  if (id < 0 || id >= vocabulary_->size()) return Automaton::kDead;
  const std::string& bytes = vocabulary_->bytes(id, at_start);
  return bytes.empty() ? Automaton::kDead : after_bytes(from, bytes);
}

const GrammarConstraint::Mask& GrammarConstraint::mask_for(std::int64_t left) {
  auto known = masks_.find(state_);
  if (known == masks_.end()) known = masks_.emplace(state_, make_mask(std::nullopt)).first;
  if (left > known->second.most_needed) return known->second;
  if (last_for_ != std::pair(state_, left)) {
    last_ = make_mask(left);
    last_for_ = {state_, left};
  }
  return last_;
}

std::int64_t GrammarConstraint::sufficient_tokens(State state) {
  return bytes_suffice_ ? automaton_.fewest_bytes(state) : fewest_tokens(state);
}

GrammarConstraint::Mask GrammarConstraint::make_mask(std::optional<std::int64_t> left) {
  const bool whole_string =
      !left && !at_start_ && bytes_suffice_ && automaton_.is_in_strings(state_);
  Mask mask = whole_string ? make_string_mask() : Mask{.tokens = TokenSet(vocabulary_->size())};
  const auto add = [&](std::int32_t id, State next) {
    const std::int64_t needed = left ? fewest_tokens(next) : sufficient_tokens(next);
    if (needed >= (left ? *left : kNever)) return;
    mask.tokens.insert(id);
    mask.most_needed = std::max(mask.most_needed, needed);
  };
  if (at_start_) {
    add_first_tokens(add);
  } else if (!whole_string) {
    add_tokens(add);
  }
  for (const std::int32_t id : end_tokens_) {
    if (id >= 0 && id < vocabulary_->size()) mask.tokens.erase(id);
  }
  mask.is_empty = mask.tokens.is_empty();
  return mask;
}

// In a string, far from the most characters that it may have, the tokens that are not plain are the
// same for any number of them.
GrammarConstraint::Mask GrammarConstraint::make_string_mask() {
  const State far = automaton_.far_from_bounds(state_, vocabulary_->longest_rest());
  auto rest = rest_masks_.find(far);
  if (rest == rest_masks_.end()) {
    Mask mask{.tokens = TokenSet(vocabulary_->size())};
    vocabulary_->rest().walk(automaton_, far, [&](std::int32_t id, State next) {
      mask.tokens.insert(id);
      mask.most_needed = std::max(mask.most_needed, sufficient_tokens(next));
    });
    rest = rest_masks_.emplace(far, std::move(mask)).first;
  }
  Mask mask = rest->second;
  // More plain characters leave no more to be written.
  mask.most_needed = std::max(mask.most_needed, sufficient_tokens(state_));
  mask.tokens.insert(vocabulary_->plain_up_to(
      std::min(automaton_.room_for_characters(state_), vocabulary_->longest_plain())));
  return mask;
}

// Some have other bytes here.
void GrammarConstraint::add_first_tokens(const auto& add) {
  vocabulary_->all().walk(automaton_, state_, [&](std::int32_t id, State next) {
    if (vocabulary_->bytes(id, true) == vocabulary_->bytes(id, false)) add(id, next);
  });
  for (const std::int32_t id : vocabulary_->other_at_start()) {
    const State next = after_token(state_, id, /*at_start=*/true);
    if (next != Automaton::kDead) add(id, next);
  }
}

// In a string most tokens are plain characters, which need no walk; but where the text may also be
// one of other rules (a constant, a pattern), one character is not like another.
void GrammarConstraint::add_tokens(const auto& add) {
  if (!automaton_.is_in_strings(state_)) return vocabulary_->all().walk(automaton_, state_, add);
  const std::int64_t room =
      std::min(automaton_.room_for_characters(state_), vocabulary_->longest_plain());
  State next = state_;
  for (std::int64_t characters = 1; characters <= room; ++characters) {
    next = automaton_.step(next, 'a');
    for (const std::int32_t id : vocabulary_->plain(characters)) add(id, next);
  }
  vocabulary_->rest().walk(automaton_, state_, add);
}

std::int64_t& GrammarConstraint::known_tokens(State state) {
  if (tokens_.size() <= state) tokens_.resize(state + 1, -1);
  return tokens_[state];
}

std::int64_t GrammarConstraint::fewest_tokens(State state) {
  if (known_tokens(state) < 0) count_tokens(state);
  return known_tokens(state);
}

// Of the shortest text from here, in as few tokens as it can be cut into. What is left of that text
// after one of these tokens is the shortest from there, so that the number falls by one a token.
void GrammarConstraint::count_tokens(State state) {
  std::vector<State> way{state};
  std::string text;
  while (!automaton_.accepts(way.back())) {
    text += static_cast<char>(automaton_.shortest_way(way.back()));
    way.push_back(automaton_.step(way.back(), static_cast<unsigned char>(text.back())));
  }
  known_tokens(way.back()) = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    if (known_tokens(way[i]) >= 0) continue;
    const bool at_start = way[i] == automaton_.start();
    std::int64_t fewest = kNever;
    const auto may_come = [&](std::int32_t id) {
      return !is_end(id) &&
             (!at_start || vocabulary_->bytes(id, true) == vocabulary_->bytes(id, false));
    };
    vocabulary_->all().prefixes(std::string_view(text).substr(i),
                                [&](std::span<const std::int32_t> ids, std::size_t size) {
                                  if (std::ranges::none_of(ids, may_come)) return;
                                  fewest = std::min(fewest, 1 + known_tokens(way[i + size]));
                                });
    known_tokens(way[i]) = std::min(fewest, kNever);
  }
}

void GrammarConstraint::forget_if_large() {
  const std::size_t mask_bytes = (static_cast<std::size_t>(vocabulary_->size()) / 8) + 1;
  if ((masks_.size() + rest_masks_.size()) * mask_bytes > kMostMaskBytes) {
    masks_.clear();
    rest_masks_.clear();
  }
  if (automaton_.size() < kMostStates) return;
  state_ = automaton_.forget_others(state_);
  masks_.clear();
  rest_masks_.clear();
  tokens_.clear();
  last_for_.reset();
}

}  // namespace gladius::train
