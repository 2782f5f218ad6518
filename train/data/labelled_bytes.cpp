#include "gladius/train/data/labelled_bytes.h"

#include <numeric>

namespace gladius::train {

std::vector<std::int64_t> label_bytes(const Example& example, const text::TokenBytes& entries) {
  const text::Tokenizer& tokenizer = entries.tokenizer();
  std::vector<std::int64_t> bytes(example.ids.size());
  bool begins = true;  // no text stands before the label
  for (std::size_t i = 0; i < example.ids.size(); ++i) {
    begins = begins && tokenizer.is_special(example.ids[i]);
    const std::int32_t label = example.labels[i];
    if (label == kNoLabel || tokenizer.is_special(label)) continue;
    const auto text = begins ? entries.at_start(label) : entries[label];
    bytes[i] = text ? std::ssize(*text) : 0;
  }
  return bytes;
}

std::int64_t labelled_bytes(const Example& example, const text::TokenBytes& entries) {
  const std::vector<std::int64_t> bytes = label_bytes(example, entries);
  return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0});
}

}  // namespace gladius::train
