#include "gladius/train/data/padding.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/data/label_masks.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// The tokens between the padding: positions begin .. end - 1.
struct Range {
  std::ptrdiff_t begin, end;
};

Range tokens_of(const std::vector<bool>& attended) {
  const auto first = std::ranges::find(attended, true);
  if (first == attended.end()) throw FormatError("\"attention_mask\" is 0 everywhere: no tokens");
  const auto padding = std::find(first, attended.end(), false);
  if (const auto next = std::find(padding, attended.end(), true); next != attended.end()) {
    throw FormatError(
        fmt::format("\"attention_mask\" is 0 at position {} and 1 behind it, at {}; padding is "
                    "expected before or behind all tokens",
                    padding - attended.begin(), next - attended.begin()));
  }
  return {first - attended.begin(), padding - attended.begin()};
}

// Counted from the first token, or from the first position.
void check_positions(const Json& positions, Range tokens) {
  const auto at = [&](std::ptrdiff_t i) { return positions[static_cast<std::size_t>(i)]; };
  const std::ptrdiff_t first = at(tokens.begin) == 0 ? 0 : tokens.begin;
  for (std::ptrdiff_t i = tokens.begin; i < tokens.end; ++i) {
    const std::ptrdiff_t expected = first + i - tokens.begin;
    if (at(i) == expected) continue;
    throw FormatError(
        fmt::format("\"position_ids\" holds {} at position {}, where {} is expected; other "
                    "positions are not supported, and several sequences belong into lines of their "
                    "own (data.packing puts them together again)",
                    shown(at(i)), i, expected));
  }
}

void keep(std::vector<std::int32_t>& list, Range tokens) {
  list.erase(list.begin() + tokens.end, list.end());
  list.erase(list.begin(), list.begin() + tokens.begin);
}

}  // namespace

void remove_padding(Example& example, const Json& line) {
  const std::size_t length = example.ids.size();
  Range tokens{0, static_cast<std::ptrdiff_t>(length)};
  if (length == 0) return;
  if (const auto mask = mask_at(line, "attention_mask", length, "1 for a token, 0 for padding")) {
    tokens = tokens_of(*mask);
  }
  if (const Json* positions = list_at(line, "position_ids", length)) {
    check_positions(*positions, tokens);
  }
  keep(example.ids, tokens);
  if (!example.labels.empty()) keep(example.labels, tokens);
}

}  // namespace gladius::train
