#include "gladius/models/tokenizer/added_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "gladius/tensor/base/quoted.h"

namespace gladius::text {

AddedVocabulary::AddedVocabulary(const std::vector<AddedToken>& tokens, const TokenIds& model,
                                 const Options& options) {
  std::vector<AddedToken> latest;  // as tokens_, with the flags that count
  std::unordered_set<std::string> special;
  std::unordered_map<std::int32_t, std::size_t> places;  // in tokens_, by id
  for (AddedToken token : tokens) {
    if (token.content.empty()) continue;
    if (token.special) special.insert(token.content);
    token.id = id_for(token, model);
    const auto [place, is_new] = places.emplace(token.id, tokens_.size());
    if (is_new) {
      largest_id_ = std::max(largest_id_, token.id);
      by_content_.add(token.content, token.id);
      tokens_.push_back({token.id, token.content, token.content});
      latest.emplace_back();
    }
    if (token.normalized) tokens_[place->second].text = options.normalize(token.content);
    latest[place->second] = std::move(token);
  }
  for (std::size_t i = 0; i < latest.size(); ++i) {
    const AddedToken& token = latest[i];
    ids_.insert(token.id);
    if (special.contains(tokens_[i].text)) special_.insert(token.id);
    const bool passes = options.splits_special_tokens && special.contains(token.content);
    (token.normalized ? in_normalized_ : in_text_)
        .add(token, token.normalized ? options.normalize(token.content) : token.content, passes);
  }
  note_ids(tokens);
}

std::int32_t AddedVocabulary::id_for(const AddedToken& token, const TokenIds& model) const {
  if (const std::int32_t id = by_content_.find(token.content); id >= 0) return id;
  if (const std::int32_t id = model.find(token.content); id >= 0) return id;
  return std::max(static_cast<std::int32_t>(model.size()), largest_id_ + 1);
}

void AddedVocabulary::note_ids(const std::vector<AddedToken>& tokens) {
  for (const AddedToken& token : tokens) {
    const std::int32_t id = find(token.content);
    if (token.id < 0 || token.content.empty() || id == token.id) continue;
    note_ = fmt::format(
        "added token {} is listed with id {}, but gets {} as in transformers (the vocabulary's "
        "id, or the next free one)",
        in_quotes(token.content), token.id, id);
    return;
  }
}

}  // namespace gladius::text
