#include "gladius/train/data/labelled_bytes.h"

namespace gladius::train {

std::int64_t labelled_bytes(const Example& example, const text::TokenBytes& entries) {
  const text::Tokenizer& tokenizer = entries.tokenizer();
  std::int64_t bytes = 0;
  bool begins = true;  // no text stands before the label
  for (std::size_t i = 0; i < example.ids.size(); ++i) {
    begins = begins && tokenizer.is_special(example.ids[i]);
    const std::int32_t label = example.labels[i];
    if (label == kNoLabel || tokenizer.is_special(label)) continue;
    const auto text = begins ? entries.at_start(label) : entries[label];
    bytes += text ? std::ssize(*text) : 0;
  }
  return bytes;
}

}  // namespace gladius::train
