#include "gladius/models/generation/text_pass.h"

#include <algorithm>
#include <span>

#include "gladius/autograd/ops/views.h"

namespace gladius {
namespace {

// Room at the start; the cache grows when a text gets longer.
constexpr std::int64_t kFirstTokens = 256;

}  // namespace

Tensor TextPass::next_logits(const std::vector<std::int32_t>& text, std::int64_t room) {
  if (cache_.layers.empty()) {
    cache_ = model_.make_cache(1, std::ssize(text) + std::min(room, kFirstTokens));
  }
  // At least one token goes through the model.
  const auto common = std::ranges::mismatch(seen_, std::span(text).first(text.size() - 1)).in1;
  const auto start = static_cast<std::int64_t>(common - seen_.begin());
  const std::vector<std::int32_t> ids(text.begin() + start, text.end());
  const auto T = std::ssize(ids);
  seen_.resize(static_cast<std::size_t>(start));
  cache_.truncate(start);
  cache_.reserve(start + T);
  const Variable hidden =
      model_.hidden_states(Tensor::from(ids, {1, T}), sequential_context(1, T, start), &cache_);
  seen_ = text;
  return model_.head(narrow(hidden, 1, T - 1, 1)).value().to(Dtype::F32);
}

}  // namespace gladius
