#include "gladius/tensor/transposed_copy.h"

#include <algorithm>

#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/transpose.h"

namespace gladius {
namespace {

constexpr std::int64_t kBlock = 128;  // elements a side of the blocks that the caches hold
constexpr std::int64_t kTransposeGrain = 1 << 15;  // elements that a thread is worth
constexpr std::int64_t kLeast = 8;                 // elements a side from which vectors pay

// The innermost dimension of several elements that an operand steps through one by one; -1 if none.
std::int64_t unit_dimension(const StridedLoop<2>& loop, std::size_t operand) {
  for (std::size_t d = loop.sizes.size(); d-- > 0;) {
    if (loop.strides[operand][d] == 1) return static_cast<std::int64_t>(d);
  }
  return -1;
}

// Numbers the blocks of the matrices [rows, columns] that dimensions `row` and `column` make up,
// for every index of the others.
struct Blocks {
  Blocks(const StridedLoop<2>& loop, std::size_t row, std::size_t column)
      : loop(loop), row(row), column(column), grid(loop.sizes) {
    for (const std::size_t d : {row, column}) grid[d] = kernels::ceil_div(grid[d], kBlock);
  }

  template <class T>
  void copy(std::int64_t block, const T* in, T* out) const {
    std::int64_t rows = 0, columns = 0;
    for (std::size_t d = grid.size(); d-- > 0;) {
      std::int64_t index = block % grid[d];
      block /= grid[d];
      if (d == row || d == column) {
        index *= kBlock;
        (d == row ? rows : columns) = std::min(kBlock, loop.sizes[d] - index);
      }
      out += index * loop.strides[0][d];
      in += index * loop.strides[1][d];
    }
    kernels::transpose(rows, columns, in, loop.strides[1][row], out, loop.strides[0][column]);
  }

  const StridedLoop<2>& loop;
  std::size_t row, column;  // along which the target and the source are contiguous
  Shape grid;               // blocks a dimension
};

template <class T>
void copy_blocks(const Blocks& blocks, const std::byte* in, std::byte* out) {
  const std::int64_t count = numel(blocks.grid);
  parallel_for(count, kTransposeGrain * count / blocks.loop.count,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t block = begin; block < end; ++block) {
                   blocks.copy(block, reinterpret_cast<const T*>(in), reinterpret_cast<T*>(out));
                 }
               });
}

}  // namespace

bool copy_transposed(const StridedLoop<2>& loop, Dtype dtype, const std::byte* in, std::byte* out) {
  const std::int64_t row = unit_dimension(loop, 0), column = unit_dimension(loop, 1);
  if (row < 0 || column < 0 || row == column || loop.count == 0) return false;
  const Blocks blocks(loop, static_cast<std::size_t>(row), static_cast<std::size_t>(column));
  if (std::min(loop.sizes[blocks.row], loop.sizes[blocks.column]) < kLeast) return false;
  if (dtype == Dtype::F32) {
    copy_blocks<float>(blocks, in, out);
  } else if (dtype == Dtype::F64) {
    copy_blocks<double>(blocks, in, out);
  } else {
    return false;
  }
  return true;
}

}  // namespace gladius
