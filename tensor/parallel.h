// The one thread pool: OpenMP, which OpenBLAS's OpenMP build shares.
#pragma once

#include <cstdint>
#include <type_traits>

namespace gladius {

/// Threads that parallel_for and BLAS use; at the start OMP_NUM_THREADS or the number of
/// processors.
int num_threads();
/// Sets it, for the whole program; throws Error below 1.
void set_num_threads(int threads);
/// Whether the caller runs inside a parallel_for.
bool in_parallel_region();

namespace detail {
using RangeBody = void (*)(void* body, std::int64_t begin, std::int64_t end);
void run_parallel(std::int64_t n, std::int64_t grain, RangeBody call, void* body);
}  // namespace detail

/// Calls body(begin, end) on disjoint ranges that cover [0, n), at most one a thread and each of
/// about `grain` or more. The ranges depend on n, grain and the thread count alone, never on
/// timing. Serial within another parallel_for. An exception of the lowest range that threw is
/// passed on.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& body) {
  using Body = std::remove_reference_t<F>;
  detail::run_parallel(
      n, grain,
      [](void* erased, std::int64_t begin, std::int64_t end) {
        (*static_cast<Body*>(erased))(begin, end);
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace gladius
