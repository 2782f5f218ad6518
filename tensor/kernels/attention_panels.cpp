#include "gladius/tensor/kernels/attention_panels.h"

#include <algorithm>

#include "gladius/tensor/kernels/bf16_pack.h"
#include "gladius/tensor/kernels/gemm_small.h"
#include "gladius/tensor/kernels/transpose.h"
#include "gladius/tensor/parallel.h"

namespace gladius::kernels {
namespace {

// Elements that are worth a thread of their own.
constexpr std::int64_t kGrain = 1 << 15;

// Calls fill(panel, its first key's elements of x, its keys) for every panel.
template <class E, class Fill>
KeyPanels<E> make_panels(const AttentionShape& s, std::int64_t size, const SumOf<E>* x,
                         std::int64_t stride, Fill&& fill) {
  KeyPanels<E> result(s, size);
  const std::int64_t panels = padded_keys(s.S) / kPanelKeys;
  parallel_for(s.B * s.Hkv * panels, kGrain / (kPanelKeys * s.D) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t key = i % panels * kPanelKeys, head = i / panels % s.Hkv;
                   const std::int64_t b = i / panels / s.Hkv;
                   fill(result.at(b, head, key), x + (s.first_token(b) + key) * stride + head * s.D,
                        std::min(kPanelKeys, s.S - key));
                 }
               });
  return result;
}

}  // namespace

template <class E>
KeyPanels<E> transposed_panels(const AttentionShape& s, const SumOf<E>* x, std::int64_t stride) {
  const std::int64_t rows = ceil_div(s.D, kTerms<E>);
  const auto fill = [&](E* panel, const SumOf<E>* keys, std::int64_t count) {
    if constexpr (kTerms<E> == 1) {
      transpose(count, s.D, keys, stride, panel, kPanelKeys);
    } else {
      pack_transposed(count, s.D, keys, stride, panel, kPanelKeys);
    }
    for (std::int64_t j = 0; j < rows; ++j) {
      std::fill(panel + j * kPanelKeys + count, panel + (j + 1) * kPanelKeys, E{});
    }
  };
  return make_panels<E>(s, rows * kPanelKeys, x, stride, fill);
}

template <class E>
KeyPanels<E> row_panels(const AttentionShape& s, const SumOf<E>* x, std::int64_t stride) {
  const auto fill = [&](E* panel, const SumOf<E>* keys, std::int64_t count) {
    if constexpr (kTerms<E> == 1) {
      for (std::int64_t key = 0; key < count; ++key) {
        std::copy_n(keys + key * stride, s.D, panel + key * s.D);
      }
    } else {
      pack_along_columns(count, s.D, keys, stride, panel, s.D);
    }
  };
  return make_panels<E>(s, kPanelKeys / kTerms<E> * s.D, x, stride, fill);
}

template <class E>
void multiply_panels(std::int64_t m, std::int64_t n, std::int64_t D, const E* x,
                     const KeyPanels<E>& panels, const E* first, SumOf<E>* y, std::int64_t ldy) {
  const std::int64_t depth = ceil_div(D, kTerms<E>);
  for (std::int64_t key = 0; key < n; key += kPanelKeys) {
    gemm_small(m, kPanelKeys, depth, x, depth, 1, first + key / kPanelKeys * panels.size(),
               kPanelKeys, y + key, ldy, false);
  }
}

#define INSTANTIATE(E)                                                                           \
  template KeyPanels<E> transposed_panels(const AttentionShape&, const SumOf<E>*, std::int64_t); \
  template KeyPanels<E> row_panels(const AttentionShape&, const SumOf<E>*, std::int64_t);        \
  template void multiply_panels(std::int64_t, std::int64_t, std::int64_t, const E*,              \
                                const KeyPanels<E>&, const E*, SumOf<E>*, std::int64_t)
INSTANTIATE(float);
INSTANTIATE(double);
INSTANTIATE(Bf16Pair);
#undef INSTANTIATE

}  // namespace gladius::kernels
