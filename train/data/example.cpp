#include "gladius/train/data/example.h"

#include <algorithm>
#include <utility>

namespace gladius {

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
  example.ids.resize(length);
  example.labels.resize(length);
}

std::vector<Example> cut_into_examples(const std::vector<std::int32_t>& ids,
                                       std::int64_t max_length) {
  const Example whole = next_token_example(ids, static_cast<std::int64_t>(ids.size()));
  std::vector<Example> pieces;
  for (std::size_t begin = 0; begin < ids.size();) {
    const std::size_t end =
        begin + std::min(ids.size() - begin, static_cast<std::size_t>(max_length));
    const auto piece = [&](const std::vector<std::int32_t>& list) {
      return std::vector<std::int32_t>(list.begin() + static_cast<std::ptrdiff_t>(begin),
                                       list.begin() + static_cast<std::ptrdiff_t>(end));
    };
    pieces.push_back({piece(whole.ids), piece(whole.labels)});
    begin = end;
  }
  return pieces;
}

}  // namespace gladius
