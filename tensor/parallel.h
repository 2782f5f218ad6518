// The one thread pool: OpenMP, which OpenBLAS's OpenMP build shares.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace gladius {

/// Threads that parallel_for and BLAS use; at the start OMP_NUM_THREADS or the number of
/// processors.
int num_threads();
/// Sets their number for the whole program; throws Error below 1.
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

/// Calls body(i) for every i in [0, n): for tasks whose results do not depend on the thread. Every
/// thread takes those of its share in order and then helps the others, so that none waits long for
/// a thread that is slow or not running. Each thread has a copy of `body`, which may keep what
/// neighbouring tasks have in common. Uses fewer threads if that leaves a thread less than `grain`
/// tasks.
template <class F>
void parallel_tasks(std::int64_t n, std::int64_t grain, const F& body) {
  const std::int64_t threads = std::clamp<std::int64_t>(n / grain, 1, num_threads());
  const auto share_begin = [&](std::int64_t share) { return share * n / threads; };
  std::vector<std::atomic<std::int64_t>> next(static_cast<std::size_t>(threads));
  for (std::size_t share = 0; share < next.size(); ++share) {
    next[share] = share_begin(static_cast<std::int64_t>(share));
  }
  parallel_for(threads, 1, [&](std::int64_t first, std::int64_t) {
    F own = body;
    for (std::int64_t turn = 0; turn < threads; ++turn) {
      const std::int64_t share = (first + turn) % threads, end = share_begin(share + 1);
      std::atomic<std::int64_t>& task = next[static_cast<std::size_t>(share)];
      for (std::int64_t i = task++; i < end; i = task++) own(i);
    }
  });
}

}  // namespace gladius
