// Rows of a table by index.
#pragma once

#include <cstdint>

#include "gladius/tensor/half.h"

namespace gladius::kernels {

/// y[t] = table[ids[t]], converted. table: [V, C] of T, bfloat16 or float16; ids: [tokens], each in
/// [0, V); y: [tokens, C] of T, float or double.
template <class T, class W>
void embedding(const W* table, const std::int64_t* ids, T* y, std::int64_t tokens, std::int64_t C);

/// dtable[ids[t]] += dy[t] in the order of the tokens, in the columns [column_begin, column_end)
/// only: threads that share out the columns give the same sums as one. dtable: [V, C].
template <class T>
void embedding_backward(const T* dy, const std::int64_t* ids, T* dtable, std::int64_t tokens,
                        std::int64_t C, std::int64_t column_begin, std::int64_t column_end);

}  // namespace gladius::kernels
