#include "gladius/tensor/kernels/attention_panels.h"

#include <algorithm>

#include "gladius/tensor/kernels/gemm_small.h"
#include "gladius/tensor/kernels/transpose.h"
#include "gladius/tensor/parallel.h"

namespace gladius::kernels {
namespace {

// Elements that are worth a thread of their own.
constexpr std::int64_t kGrain = 1 << 15;

// Calls fill(panel, its first key's elements of x, its keys) for every panel.
template <class T, class Fill>
KeyPanels<T> make_panels(const AttentionShape& s, const T* x, std::int64_t stride, Fill&& fill) {
  KeyPanels<T> result(s);
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

template <class T>
KeyPanels<T> transposed_panels(const AttentionShape& s, const T* x, std::int64_t stride) {
  return make_panels(s, x, stride, [&](T* panel, const T* keys, std::int64_t count) {
    transpose(count, s.D, keys, stride, panel, kPanelKeys);
    for (std::int64_t j = 0; j < s.D; ++j) {
      std::fill(panel + j * kPanelKeys + count, panel + (j + 1) * kPanelKeys, T{0});
    }
  });
}

template <class T>
KeyPanels<T> row_panels(const AttentionShape& s, const T* x, std::int64_t stride) {
  return make_panels(s, x, stride, [&](T* panel, const T* keys, std::int64_t count) {
    for (std::int64_t key = 0; key < count; ++key) {
      std::copy_n(keys + key * stride, s.D, panel + key * s.D);
    }
  });
}

template <class T>
void multiply_panels(std::int64_t m, std::int64_t n, std::int64_t D, const T* x, const T* panels,
                     T* y, std::int64_t ldy) {
  for (std::int64_t key = 0; key < n; key += kPanelKeys) {
    gemm_small(m, kPanelKeys, D, x, D, 1, panels + key * D, kPanelKeys, y + key, ldy, false);
  }
}

#define INSTANTIATE(T)                                                                            \
  template KeyPanels<T> transposed_panels(const AttentionShape&, const T*, std::int64_t);         \
  template KeyPanels<T> row_panels(const AttentionShape&, const T*, std::int64_t);                \
  template void multiply_panels(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T*, \
                                std::int64_t)
INSTANTIATE(float);
INSTANTIATE(double);
#undef INSTANTIATE

}  // namespace gladius::kernels
