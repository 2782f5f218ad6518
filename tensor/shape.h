// Shapes and strides.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gladius {

/// Sizes of the dimensions, outermost first. An empty Shape is a scalar.
using Shape = std::vector<std::int64_t>;
/// Elements (not bytes) between neighbours along each dimension; 0 in an expanded dimension.
using Strides = std::vector<std::int64_t>;

/// Number of elements; 1 for a scalar. Throws ShapeError on a negative size or overflow.
std::int64_t numel(const Shape& shape);
/// Row-major strides.
Strides contiguous_strides(const Shape& shape);
/// The shape both broadcast to by NumPy's rules; throws ShapeError naming `op` and both shapes.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);
/// Throws ShapeError naming `op` and both shapes unless `from` broadcasts to `to`.
void check_broadcasts_to(const char* op, const Shape& from, const Shape& to);
/// "[2, 768]".
std::string to_string(const Shape& shape);
/// A dimension index with negatives counted from the end; throws ShapeError naming `op`.
std::int64_t normalize_dim(const char* op, std::int64_t dim, std::int64_t rank);

}  // namespace gladius
