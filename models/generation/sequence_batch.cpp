#include "gladius/models/generation/sequence_batch.h"

#include <algorithm>
#include <utility>

namespace gladius {
namespace {

// Tokens that there is room for at least when rows are laid out anew.
constexpr std::int64_t kSpare = 64;

void copy_tokens(const Tensor& from, std::int64_t begin, const Tensor& to, std::int64_t at,
                 std::int64_t count) {
  to.narrow(1, at, count).copy_(from.narrow(1, begin, count));
}

}  // namespace

void SequenceBatch::add(const KvCache& text, std::int64_t length) {
  if (length > end_) lay_out(length);
  const std::int64_t row = size(), begin = end_ - length;
  for (std::size_t i = 0; i < cache_.layers.size(); ++i) {
    copy_tokens(text.layers[i].k, 0, cache_.layers[i].k.narrow(0, row, 1), begin, length);
    copy_tokens(text.layers[i].v, 0, cache_.layers[i].v.narrow(0, row, 1), begin, length);
  }
  lengths_.push_back(length);
}

void SequenceBatch::remove(std::int64_t row) {
  const std::int64_t last = size() - 1, length = lengths_.back(), begin = end_ - length;
  if (row != last) {
    for (const nn::LayerCache& layer : cache_.layers) {
      for (const Tensor& store : {layer.k, layer.v}) {
        copy_tokens(store.narrow(0, last, 1), begin, store.narrow(0, row, 1), begin, length);
      }
    }
    lengths_[static_cast<std::size_t>(row)] = length;
  }
  lengths_.pop_back();
}

Tensor SequenceBatch::next_logits(const std::vector<std::int32_t>& ids) {
  if (end_ == cache_.capacity()) lay_out(longest());
  const std::int64_t B = size();
  std::vector<std::int64_t> first_keys;
  for (const std::int64_t length : lengths_) first_keys.push_back(end_ - length);
  const TokenContext context{.positions = Tensor::from(lengths_, {B, 1}),
                             .first_key = Tensor::from(first_keys, {B, 1})};
  KvCache rows = rows_in_use();
  const Variable hidden = model_.hidden_states(Tensor::from(ids, {B, 1}), context, &rows);
  ++end_;
  for (std::int64_t& length : lengths_) ++length;
  return model_.head(hidden).value().to(Dtype::F32).reshape({B, -1});
}

std::int64_t SequenceBatch::longest() const {
  return lengths_.empty() ? 0 : std::ranges::max(lengths_);
}

// Moves the rows so that they end at `end`, in a cache that has room for what follows. What is in
// front of the longest is given up.
void SequenceBatch::lay_out(std::int64_t end) {
  const std::int64_t capacity = std::max(cache_.capacity(), end + std::max(kSpare, end / 2));
  const std::int64_t rows = size(), used = longest();
  KvCache laid_out = model_.make_cache(room_, capacity);
  for (std::size_t i = 0; i < laid_out.layers.size(); ++i) {
    for (const auto store : {&nn::LayerCache::k, &nn::LayerCache::v}) {
      Tensor& to = laid_out.layers[i].*store;
      to.fill_(0);  // a pass multiplies the keys that a row does not see by 0, so they are numbers
      if (rows == 0) continue;
      const Tensor& from = cache_.layers[i].*store;
      copy_tokens(from.narrow(0, 0, rows), end_ - used, to.narrow(0, 0, rows), end - used, used);
    }
  }
  cache_ = std::move(laid_out);
  end_ = end;
}

// Views, to which a pass appends.
KvCache SequenceBatch::rows_in_use() const {
  KvCache rows;
  for (const nn::LayerCache& layer : cache_.layers) {
    rows.layers.push_back(
        {.k = layer.k.narrow(0, 0, size()), .v = layer.v.narrow(0, 0, size()), .length = end_});
  }
  return rows;
}

}  // namespace gladius
