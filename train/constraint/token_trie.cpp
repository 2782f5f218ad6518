#include "gladius/train/constraint/token_trie.h"

#include <algorithm>
#include <utility>

#include "gladius/train/constraint/json_text.h"

namespace gladius::train {
namespace {

constexpr std::size_t kCommonLength = 32;  // of plain tokens, in characters

// The most bytes of a text that a string goes on with: to its end or to a control character, which
// has to stand behind the string. 0 for a text that cannot stand there.
std::int64_t most_in_string(std::string_view text) {
  const auto control =
      std::ranges::find_if(text, [](char c) { return static_cast<Byte>(c) < 0x20; });
  const std::string_view before = text.substr(0, static_cast<std::size_t>(control - text.begin()));
  const bool ends = before.size() == text.size() || before.find('"') != text.npos;
  return ends ? std::ssize(before) : 0;
}

// The characters of a text that may stand anywhere in a string; -1 for another one.
std::int64_t count_plain(std::string_view text) {
  std::int64_t characters = 0;
  Character at = Character::none;
  for (const char c : text) {
    if (c == '"' || c == '\\') return -1;
    at = after_byte(at, static_cast<Byte>(c));
    if (at == Character::wrong) return -1;
    if (at == Character::none) ++characters;
  }
  return at == Character::none && text.find("</") == text.npos ? characters : -1;
}

std::size_t common_beginning(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

TokenTrie::TokenTrie(const std::vector<std::string>& bytes, std::vector<std::int32_t> ids)
    : ids_(std::move(ids)) {
  const auto text = [&](std::int32_t id) -> std::string_view {
    return bytes[static_cast<std::size_t>(id)];
  };
  std::ranges::stable_sort(ids_, {}, text);
  std::vector<std::uint32_t> open;  // the places of the last token
  const auto close_to = [&](std::size_t depth) {
    for (; open.size() > depth; open.pop_back()) {
      places_[open.back()].end = static_cast<std::uint32_t>(places_.size());
    }
  };
  std::string_view last;
  for (std::uint32_t i = 0; i < ids_.size(); ++i) {
    const std::string_view token = text(ids_[i]);
    close_to(common_beginning(last, token));
    while (open.size() < token.size()) {
      const auto byte = static_cast<unsigned char>(token[open.size()]);
      open.push_back(static_cast<std::uint32_t>(places_.size()));
      const auto depth = static_cast<std::uint32_t>(open.size());
      places_.push_back({.byte = byte, .depth = depth, .end = 0, .first = i, .last = i});
      deepest_ = std::max(deepest_, depth);
    }
    places_[open.back()].last = i + 1;
    last = token;
  }
  close_to(0);
}

TokenVocabulary::TokenVocabulary(const text::TokenBytes& tokens) {
  const text::Tokenizer& tokenizer = tokens.tokenizer();
  const auto size = static_cast<std::int32_t>(tokenizer.vocab_size());
  for (std::int32_t id = 0; id < size; ++id) {
    const bool special = tokenizer.is_special(id);
    within_.push_back(special ? "" : tokens[id].value_or(""));
    at_start_.push_back(special ? "" : tokens.at_start(id).value_or(""));
  }
  arrange();
}

TokenVocabulary::TokenVocabulary(std::vector<std::string> within, std::vector<std::string> at_start)
    : within_(std::move(within)), at_start_(std::move(at_start)) {
  arrange();
}

TokenSet TokenVocabulary::plain_up_to(std::int64_t characters) const {
  const auto common = std::min(static_cast<std::size_t>(characters), plain_up_to_.size() - 1);
  TokenSet set = plain_up_to_[common];
  for (std::size_t i = common + 1; i <= static_cast<std::size_t>(characters); ++i) {
    for (const std::int32_t id : plain_[i]) set.insert(id);
  }
  return set;
}

void TokenVocabulary::arrange() {
  std::vector<std::int32_t> all, rest;
  plain_.resize(1);
  for (std::int32_t id = 0; id < size(); ++id) {
    const std::string& text = bytes(id, /*at_start=*/false);
    if (text != bytes(id, /*at_start=*/true)) other_at_start_.push_back(id);
    if (text.empty()) continue;
    all.push_back(id);
    if (text.size() == 1) has_byte_.set(static_cast<unsigned char>(text[0]));
    const std::int64_t characters = count_plain(text);
    if (characters < 0) {
      rest.push_back(id);
      longest_rest_ = std::max(longest_rest_, most_in_string(text));
      continue;
    }
    const auto place = static_cast<std::size_t>(characters);
    if (plain_.size() <= place) plain_.resize(place + 1);
    plain_[place].push_back(id);
  }
  for (std::size_t i = 0; i < plain_.size() && i <= kCommonLength; ++i) {
    plain_up_to_.push_back(i == 0 ? TokenSet(size()) : plain_up_to_.back());
    for (const std::int32_t id : plain_[i]) plain_up_to_.back().insert(id);
  }
  all_ = TokenTrie(within_, std::move(all));
  rest_ = TokenTrie(within_, std::move(rest));
}

}  // namespace gladius::train
