// Sums of rows and of columns in double. Private to the tensors' operations.
//
// Bound: the bytes of x at the rate of the memory that holds them.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// x[0] + ... + x[n - 1], of floats or doubles, each added in double.
template <class T>
double sum(const T* x, std::int64_t n);

/// y[j] += x[0, j] + ... + x[rows - 1, j] for x [rows, columns] with rows `ldx` elements apart,
/// each added in double, in order.
template <class T>
void add_rows(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t ldx, double* y);

}  // namespace gladius::kernels
