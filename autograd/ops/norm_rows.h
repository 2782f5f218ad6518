// What the normalizations over the last dimension share: their parameters and their way through the
// rows. For rms_norm.cpp and layer_norm.cpp only.
#pragma once

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/variable.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/parallel.h"

namespace gladius::norm_rows {

inline void check_eps(const char* op, double eps) {
  if (!(eps >= 0)) throw ConfigError(fmt::format("{}: eps {} is not 0 or more", op, eps));
}

/// The parameter [C] `name` as the kernels take it: contiguous, of x's type.
inline Tensor parameter(const char* op, const char* name, const Variable& x, const Variable& p) {
  if (x.dim() == 0 || p.shape() != Shape{x.size(-1)}) {
    throw ShapeError(fmt::format("{}: input {} does not fit {} {}", op, to_string(x.shape()), name,
                                 to_string(p.shape())));
  }
  if (p.requires_grad() && p.dtype() != x.dtype()) {
    throw DtypeError(fmt::format("{}: input {} with trainable {} {}; their types differ", op,
                                 x.value().describe(), name, p.value().describe()));
  }
  return p.value().to(x.dtype()).contiguous();
}

/// Rows of x [..., C]; none if C is 0.
inline std::int64_t rows_of(const Tensor& x) {
  return x.size(-1) == 0 ? 0 : x.numel() / x.size(-1);
}

constexpr std::int64_t kRowsPerBlock = 32;

/// Number of blocks that the rows fall into. The parameters' gradients are summed over each and
/// then over the blocks, whatever the number of threads.
inline std::int64_t blocks_of(std::int64_t rows) {
  return (rows + kRowsPerBlock - 1) / kRowsPerBlock;
}

/// Calls body(T{}, block, first row, rows) for each block, with the C++ type T of `dtype`.
template <class F>
void for_each_block(const char* op, Dtype dtype, std::int64_t rows, F body) {
  dispatch_floating(op, dtype, [&](auto zero) {
    parallel_for(blocks_of(rows), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t row = block * kRowsPerBlock;
        body(zero, block, row, std::min(kRowsPerBlock, rows - row));
      }
    });
  });
}

/// Element `i` of a tensor; null if it is undefined.
template <class T>
T* pointer(const Tensor& tensor, std::int64_t i) {
  return tensor.defined() ? tensor.data<T>() + i : nullptr;
}

}  // namespace gladius::norm_rows
