#include "gladius/tensor/kernels/embedding.h"

#include <algorithm>
#include <type_traits>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/kernels/convert.h"

namespace gladius::kernels {

template <class T, class W>
void embedding(const W* table, const std::int64_t* ids, T* y, std::int64_t tokens, std::int64_t C) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    const W* row = table + ids[t] * C;
    if constexpr (!std::is_same_v<T, W> && std::is_same_v<T, float>) {
      convert(row, y + t * C, C);
    } else {
      std::transform(row, row + C, y + t * C, convert_element<T, W>);
    }
  }
}

template <class T>
void embedding_backward(const T* dy, const std::int64_t* ids, T* dtable, std::int64_t tokens,
                        std::int64_t C, std::int64_t column_begin, std::int64_t column_end) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    const T* from = dy + t * C;
    T* to = dtable + ids[t] * C;
    for (std::int64_t c = column_begin; c < column_end; ++c) to[c] += from[c];
  }
}

template void embedding(const float*, const std::int64_t*, float*, std::int64_t, std::int64_t);
template void embedding(const bfloat16*, const std::int64_t*, float*, std::int64_t, std::int64_t);
template void embedding(const float16*, const std::int64_t*, float*, std::int64_t, std::int64_t);
template void embedding(const double*, const std::int64_t*, double*, std::int64_t, std::int64_t);
template void embedding(const bfloat16*, const std::int64_t*, double*, std::int64_t, std::int64_t);
template void embedding(const float16*, const std::int64_t*, double*, std::int64_t, std::int64_t);
template void embedding_backward(const float*, const std::int64_t*, float*, std::int64_t,
                                 std::int64_t, std::int64_t, std::int64_t);
template void embedding_backward(const double*, const std::int64_t*, double*, std::int64_t,
                                 std::int64_t, std::int64_t, std::int64_t);

}  // namespace gladius::kernels
