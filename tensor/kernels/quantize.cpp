// Compiled without contraction of products and sums (tensor/CMakeLists.txt), which would round
// once where the reference rounds twice.
#include "gladius/tensor/kernels/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "gladius/tensor/kernels/blocks.h"

namespace gladius::kernels {
namespace {

constexpr int kElements = 32;
using Levels = std::array<std::uint8_t, kElements>;

void put_nibbles(BlockWriter& out, const Levels& q) {
  constexpr std::size_t kHalf = kElements / 2;
  out.nibbles({q.data(), kHalf}, {q.data() + kHalf, kHalf});
}

void put_fifth_bits(BlockWriter& out, const Levels& q) {
  std::uint32_t bits = 0;
  for (int i = 0; i < kElements; ++i) bits |= static_cast<std::uint32_t>(q[i] >> 4) << i;
  out.put(&bits, sizeof bits);
}

float inverse(float d) { return d == 0 ? 0.0f : 1.0f / d; }

std::uint8_t level(float value, int highest) {
  // To cast what is no number, or beyond the type, would be undefined.
  return value >= 1 ? static_cast<std::uint8_t>(std::min(value, static_cast<float>(highest))) : 0;
}

// The first of the largest magnitude, with its sign.
float extreme(const float* x) {
  return *std::max_element(x, x + kElements,
                           [](float a, float b) { return std::abs(a) < std::abs(b); });
}

// d (q - middle): Q4_0 and Q5_0.
float symmetric(const float* x, int middle, Levels& q) {
  const float d = extreme(x) / static_cast<float>(-middle), id = inverse(d);
  for (int i = 0; i < kElements; ++i) {
    q[i] = level(x[i] * id + (static_cast<float>(middle) + 0.5f), 2 * middle - 1);
  }
  return d;
}

// d q + m: Q4_1 and Q5_1.
std::pair<float, float> affine(const float* x, int highest, Levels& q) {
  const auto [least, most] = std::minmax_element(x, x + kElements);
  const float m = *least, d = (*most - m) / static_cast<float>(highest), id = inverse(d);
  for (int i = 0; i < kElements; ++i) q[i] = level((x[i] - m) * id + 0.5f, highest);
  return {d, m};
}

bool q4_0(const float* x, std::byte* block) {
  Levels q;
  BlockWriter out(block);
  out.half(symmetric(x, 8, q));
  put_nibbles(out, q);
  return out.fits();
}

bool q4_1(const float* x, std::byte* block) {
  Levels q;
  BlockWriter out(block);
  const auto [d, m] = affine(x, 15, q);
  out.half(d);
  out.half(m);
  put_nibbles(out, q);
  return out.fits();
}

bool q5_0(const float* x, std::byte* block) {
  Levels q;
  BlockWriter out(block);
  out.half(symmetric(x, 16, q));
  put_fifth_bits(out, q);
  put_nibbles(out, q);
  return out.fits();
}

bool q5_1(const float* x, std::byte* block) {
  Levels q;
  BlockWriter out(block);
  const auto [d, m] = affine(x, 31, q);
  out.half(d);
  out.half(m);
  put_fifth_bits(out, q);
  put_nibbles(out, q);
  return out.fits();
}

bool q8_0(const float* x, std::byte* block) {
  const float d = std::abs(extreme(x)) / 127.0f;
  const float id = std::isfinite(1 / d) ? 1 / d : 0;  // of what is 0 in F16
  std::array<std::int8_t, kElements> q;
  for (int i = 0; i < kElements; ++i) {
    const float size = std::abs(x[i] * id), whole = std::floor(size);
    const float rounded = std::min(whole + std::floor(2 * (size - whole)), 127.0f);
    q[i] = static_cast<std::int8_t>(std::copysign(rounded, x[i]));
  }
  BlockWriter out(block);
  out.half(d);
  out.put(q.data(), q.size());
  return out.fits();
}

QuantizeBlock block_quantizer(Dtype dtype) {
  switch (dtype) {
    case Dtype::Q4_0:
      return q4_0;
    case Dtype::Q4_1:
      return q4_1;
    case Dtype::Q5_0:
      return q5_0;
    case Dtype::Q5_1:
      return q5_1;
    case Dtype::Q8_0:
      return q8_0;
    default:
      return k_block_quantizer(dtype);
  }
}

}  // namespace

bool quantize(Dtype dtype, const float* x, std::byte* blocks, std::int64_t n) {
  const QuantizeBlock quantize_block = block_quantizer(dtype);
  bool fits = true;
  const std::int64_t elements = block_elements(dtype);
  for (std::int64_t i = 0; i < n; i += elements, blocks += dtype_size(dtype)) {
    const bool finite =
        std::all_of(x + i, x + i + elements, [](float value) { return std::isfinite(value); });
    fits = finite && quantize_block(x + i, blocks) && fits;
  }
  return fits;
}

}  // namespace gladius::kernels
