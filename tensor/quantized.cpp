#include "gladius/tensor/quantized.h"

#include <fmt/format.h>

#include <atomic>

#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

constexpr std::int64_t kGrainElements = 1 << 14;

// The same bytes, each an element.
Tensor as_bytes(const Tensor& blocks) {
  const auto bytes = [&](std::int64_t elements) {
    return static_cast<std::int64_t>(dtype_bytes(blocks.dtype(), elements));
  };
  Shape shape = blocks.shape();
  Strides strides = blocks.strides();
  for (std::size_t d = 0; d + 1 < shape.size(); ++d) strides[d] = bytes(strides[d]);
  if (!shape.empty()) shape.back() = bytes(shape.back());
  return {blocks.storage(), shape, strides, bytes(blocks.offset()), Dtype::U8};
}

// Calls f(first element, elements) for shares of whole blocks.
template <class F>
void for_blocks(const Tensor& blocks, F f) {
  const std::int64_t block = block_elements(blocks.dtype());
  parallel_for(
      blocks.numel() / block, kGrainElements / block,
      [&](std::int64_t begin, std::int64_t end) { f(begin * block, (end - begin) * block); });
}

}  // namespace

Tensor dequantize(const Tensor& blocks) {
  const Tensor dense = blocks.contiguous();
  Tensor numbers = Tensor::empty(blocks.shape());
  float* out = numbers.data<float>();
  for_blocks(dense, [&](std::int64_t first, std::int64_t n) {
    const std::byte* in = dense.raw_data() + dtype_bytes(dense.dtype(), first);
    kernels::dequantize(dense.dtype(), in, out + first, n);
  });
  return numbers;
}

bool can_quantize(Dtype dtype) {
  return is_quantized(dtype) &&
         (dtype <= Dtype::Q8_0 || dtype == Dtype::Q4_K || dtype == Dtype::Q6_K);
}

Tensor quantize(const Tensor& numbers, Dtype dtype) {
  if (!can_quantize(dtype)) {
    throw DtypeError(fmt::format(
        "quantize: {} is not written here (known: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q6_K)",
        dtype_name(dtype)));
  }
  const std::int64_t block = block_elements(dtype);
  if (numbers.dim() == 0 || numbers.size(-1) % block != 0) {
    throw ShapeError(
        fmt::format("quantize: rows of {} are not a multiple of {} elements, a block "
                    "of {}",
                    numbers.describe(), block, dtype_name(dtype)));
  }
  const Tensor dense = numbers.to(Dtype::F32).contiguous();
  Tensor blocks = Tensor::empty(numbers.shape(), dtype);
  std::atomic<bool> fits = true;
  for_blocks(blocks, [&](std::int64_t first, std::int64_t n) {
    std::byte* out = blocks.raw_data() + dtype_bytes(dtype, first);
    if (!kernels::quantize(dtype, dense.data<float>() + first, out, n)) fits = false;
  });
  if (!fits) {
    throw FormatError(
        fmt::format("quantize: {} has a block with a NaN or with numbers beyond the "
                    "range of {}'s F16 scale",
                    numbers.describe(), dtype_name(dtype)));
  }
  return blocks;
}

void copy_blocks(const Tensor& from, const Tensor& to) { as_bytes(to).copy_(as_bytes(from)); }

}  // namespace gladius
