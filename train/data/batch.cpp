#include "gladius/train/data/batch.h"

#include <algorithm>
#include <utility>

namespace gladius::train {

std::int64_t Batch::labelled() const {
  const auto all = labels.to_vector<std::int64_t>();
  return static_cast<std::int64_t>(all.size()) - std::ranges::count(all, kNoLabel);
}

std::vector<std::int64_t> Batch::lengths() const {
  std::vector<std::int64_t> lengths;
  for (const auto position : context.positions.to_vector<std::int64_t>()) {
    if (position == 0) lengths.push_back(0);
    ++lengths.back();
  }
  return lengths;
}

Batch pack(const std::vector<const Example*>& examples) {
  std::vector<std::int64_t> ids, labels, lengths;
  std::vector<std::shared_ptr<const text::Conversation>> conversations;
  bool given_as_ids = false;
  for (const Example* example : examples) {
    ids.insert(ids.end(), example->ids.begin(), example->ids.end());
    labels.insert(labels.end(), example->labels.begin(), example->labels.end());
    lengths.push_back(static_cast<std::int64_t>(example->ids.size()));
    conversations.push_back(example->conversation);
    given_as_ids = given_as_ids || example->given_as_ids;
  }
  const auto N = static_cast<std::int64_t>(ids.size());
  return {.ids = Tensor::from(ids, {1, N}),
          .labels = Tensor::from(labels, {N}),
          .context = packed_context(lengths),
          .sequences = static_cast<std::int64_t>(examples.size()),
          .conversations = std::move(conversations),
          .given_as_ids = given_as_ids};
}

}  // namespace gladius::train
