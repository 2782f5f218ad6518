#include "gladius/train/data/example.h"

#include <algorithm>
#include <utility>

namespace gladius::train {

std::int64_t count_labels(std::span<const std::int32_t> labels) {
  return std::ssize(labels) - std::ranges::count(labels, kNoLabel);
}

Example next_token_example(std::vector<std::int32_t> ids, std::int64_t max_length) {
  std::vector<std::int32_t> labels;
  if (!ids.empty()) {
    labels.assign(ids.begin() + 1, ids.end());
    labels.push_back(kNoLabel);
  }
  Example example{std::move(ids), std::move(labels)};
  truncate(example, max_length);
  return example;
}

void truncate(Example& example, std::int64_t max_length) {
  const auto length = std::min(example.ids.size(), static_cast<std::size_t>(max_length));
  example.cut_tokens += std::ssize(example.ids) - static_cast<std::int64_t>(length);
  example.cut_labels += count_labels(std::span(example.labels).subspan(length));
  example.ids.resize(length);
  example.labels.resize(length);
  // Of a long text a short piece may be left.
  example.ids.shrink_to_fit();
  example.labels.shrink_to_fit();
}

}  // namespace gladius::train
