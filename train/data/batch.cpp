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

bool Batch::has_own_answers() const {
  return std::ranges::any_of(prompts, [](std::int64_t prompt) { return prompt > 0; });
}

std::vector<bool> Batch::compared(bool labelled_only) const {
  const auto all = labels.to_vector<std::int64_t>();
  std::vector<bool> counts;
  const std::vector<std::int64_t> sizes = lengths();
  for (std::size_t sequence = 0; sequence < sizes.size(); ++sequence) {
    const std::int64_t prompt = prompts.empty() ? 0 : prompts.at(sequence);
    for (std::int64_t i = 0; i < sizes[sequence]; ++i) {
      const bool of_data = !labelled_only || all[counts.size()] != kNoLabel;
      counts.push_back(prompt > 0 ? i >= prompt - 1 && i + 1 < sizes[sequence] : of_data);
    }
  }
  return counts;
}

std::vector<Example> Batch::examples() const {
  const auto all_ids = ids.to_vector<std::int32_t>(), all_labels = labels.to_vector<std::int32_t>();
  std::vector<Example> list;
  std::ptrdiff_t begin = 0;
  for (const std::int64_t length : lengths()) {
    const std::size_t sequence = list.size();
    Example example{.ids = {all_ids.begin() + begin, all_ids.begin() + begin + length},
                    .labels = {all_labels.begin() + begin, all_labels.begin() + begin + length}};
    example.conversation = conversations.at(sequence);
    example.given_as_ids = given_as_ids;
    example.prompt = prompts.empty() ? 0 : prompts.at(sequence);
    list.push_back(std::move(example));
    begin += length;
  }
  return list;
}

Batch pack(const std::vector<const Example*>& examples) {
  std::vector<std::int64_t> ids, labels, lengths;
  std::vector<std::shared_ptr<const text::Conversation>> conversations;
  bool given_as_ids = false;
  std::vector<std::int64_t> prompts;
  for (const Example* example : examples) {
    ids.insert(ids.end(), example->ids.begin(), example->ids.end());
    labels.insert(labels.end(), example->labels.begin(), example->labels.end());
    lengths.push_back(static_cast<std::int64_t>(example->ids.size()));
    conversations.push_back(example->conversation);
    given_as_ids = given_as_ids || example->given_as_ids;
    prompts.push_back(example->prompt);
  }
  if (std::ranges::count(prompts, 0) == std::ssize(prompts)) prompts.clear();
  const auto N = static_cast<std::int64_t>(ids.size());
  return {.ids = Tensor::from(ids, {1, N}),
          .labels = Tensor::from(labels, {N}),
          .context = packed_context(lengths),
          .sequences = static_cast<std::int64_t>(examples.size()),
          .conversations = std::move(conversations),
          .given_as_ids = given_as_ids,
          .prompts = std::move(prompts)};
}

}  // namespace gladius::train
