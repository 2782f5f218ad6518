#include "gladius/tensor/parallel.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#include "gladius/tensor/error.h"

namespace gladius {
namespace {

std::atomic<int>& thread_count() {
  static std::atomic<int> count{omp_get_max_threads()};
  return count;
}

}  // namespace

int num_threads() { return thread_count().load(std::memory_order_relaxed); }

void set_num_threads(int threads) {
  if (threads < 1)
    throw Error(fmt::format("set_num_threads: {} is not a number of threads", threads));
  thread_count().store(threads, std::memory_order_relaxed);
  omp_set_num_threads(threads);  // OpenBLAS's OpenMP build follows this setting
}

bool in_parallel_region() { return omp_in_parallel() != 0; }

namespace detail {

void run_parallel(std::int64_t n, std::int64_t grain, RangeBody call, void* body) {
  if (n <= 0) return;
  const std::int64_t ranges =
      std::min<std::int64_t>(num_threads(), n / std::max<std::int64_t>(grain, 1));
  if (ranges <= 1 || omp_in_parallel()) {
    call(body, 0, n);
    return;
  }
  // OpenMP may hand out fewer threads than asked for; the ranges stay the same.
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(ranges));
  const std::int64_t size = n / ranges;
  const std::int64_t longer = n % ranges;  // so many first ranges have one more
#pragma omp parallel for num_threads(static_cast <int>(ranges)) schedule(static, 1)
  for (std::int64_t i = 0; i < ranges; ++i) {
    const std::int64_t begin = i * size + std::min(i, longer);
    try {
      call(body, begin, begin + size + (i < longer ? 1 : 0));
    } catch (...) {
      errors[static_cast<std::size_t>(i)] = std::current_exception();
    }
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace detail
}  // namespace gladius
