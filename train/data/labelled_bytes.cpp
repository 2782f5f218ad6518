#include "gladius/train/data/labelled_bytes.h"

#include <algorithm>

namespace gladius {

std::int64_t labelled_bytes(const Example& example, const Tokenizer& tokenizer) {
  const std::size_t T = example.ids.size();
  const auto text_size = [&](const std::vector<std::int32_t>& ids) {
    return std::ssize(tokenizer.decode(ids, /*skip_special_tokens=*/true));
  };
  // Decoders treat the start of a text specially, so the text before a label is decoded with it.
  std::vector<std::int32_t> before;
  std::int64_t bytes = 0;
  for (std::size_t begin = 0, end = 0; begin < T; begin = end) {
    const bool labelled = example.labels[begin] != kNoLabel;
    std::vector<std::int32_t> with = before;
    for (end = begin; end < T && (example.labels[end] != kNoLabel) == labelled; ++end) {
      before.push_back(example.ids[end]);
    }
    if (!labelled) continue;
    // A run of labels, each the token behind its position.
    with.push_back(example.ids[begin]);
    const std::int64_t size = text_size(with);
    with.insert(with.end(), example.labels.begin() + static_cast<std::ptrdiff_t>(begin),
                example.labels.begin() + static_cast<std::ptrdiff_t>(end));
    bytes += std::max<std::int64_t>(text_size(with) - size, 0);
  }
  return bytes;
}

std::int64_t labelled_bytes(const Dataset& data, const Tokenizer& tokenizer) {
  std::int64_t bytes = 0;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    if (const auto example = data.read(i)) bytes += labelled_bytes(*example, tokenizer);
  }
  return bytes;
}

}  // namespace gladius
