#include "gladius/tensor/parallel.h"

#include <fmt/format.h>
#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/pool.h"

// libgomp is not built for the thread sanitizer, which has to be told where the pool forks and
// joins, and to look away where the compiler hands the variables of a parallel loop to its threads.
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define GLADIUS_NO_SANITIZE_THREAD __attribute__((no_sanitize_thread))
#else
#define GLADIUS_NO_SANITIZE_THREAD
#endif

namespace gladius {
namespace {

// What happened before an announce of `point` has happened for whoever observes it afterwards.
void announce([[maybe_unused]] void* point) {
#ifdef __SANITIZE_THREAD__
  __tsan_release(point);
#endif
}
void observe([[maybe_unused]] void* point) {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(point);
#endif
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count{omp_get_max_threads()};
  return count;
}

// Whether this process is the fork of one that had threads, and has none of them.
std::atomic<bool> threads_are_lost{false};
// Whether this thread runs the ranges of a parallel_for in place of those.
thread_local bool in_lone_loop = false;

void lose_threads() {
  threads_are_lost = true;
  omp_set_num_threads(1);  // for BLAS
}

// The ranges of one parallel_for.
struct Ranges {
  std::int64_t n, count;
  detail::RangeBody call;
  void* body;
  std::vector<std::exception_ptr> errors =
      std::vector<std::exception_ptr>(static_cast<std::size_t>(count));
  char fork = 0, join = 0;  // points for announce and observe

  void run(std::int64_t i) {
    observe(&fork);
    const std::int64_t size = n / count;
    const std::int64_t longer = n % count;  // so many first ranges have one more
    const std::int64_t begin = i * size + std::min(i, longer);
    try {
      call(body, begin, begin + size + (i < longer ? 1 : 0));
    } catch (...) {
      errors[static_cast<std::size_t>(i)] = std::current_exception();
    }
    announce(&join);
  }
};

// OpenMP may hand out fewer threads than asked for; the ranges stay the same.
GLADIUS_NO_SANITIZE_THREAD void run_on_threads(Ranges* ranges) {
  announce(&ranges->fork);
#pragma omp parallel for num_threads(static_cast <int>(ranges->count)) schedule(static, 1)
  for (std::int64_t i = 0; i < ranges->count; ++i) ranges->run(i);
  observe(&ranges->join);
}

void run_alone(Ranges& ranges) {
  in_lone_loop = true;
  for (std::int64_t i = 0; i < ranges.count; ++i) ranges.run(i);
  in_lone_loop = false;
}

}  // namespace

int num_threads() { return thread_count().load(std::memory_order_relaxed); }

void set_num_threads(int threads) {
  if (threads < 1)
    throw Error(fmt::format("set_num_threads: {} is not a number of threads", threads));
  thread_count().store(threads, std::memory_order_relaxed);
  // OpenBLAS's OpenMP build follows this setting.
  omp_set_num_threads(threads_are_lost ? 1 : threads);
}

bool in_parallel_region() { return omp_in_parallel() != 0 || in_lone_loop; }

namespace detail {

void use_pool() {
  [[maybe_unused]] static const int once = ::pthread_atfork(nullptr, nullptr, lose_threads);
}

void run_parallel(std::int64_t n, std::int64_t grain, RangeBody call, void* body) {
  if (n <= 0) return;
  const std::int64_t ranges =
      std::min<std::int64_t>(num_threads(), n / std::max<std::int64_t>(grain, 1));
  if (ranges <= 1 || in_parallel_region()) {
    call(body, 0, n);
    return;
  }
  Ranges parts{n, ranges, call, body};
  if (threads_are_lost) {
    run_alone(parts);
  } else {
    use_pool();
    run_on_threads(&parts);
  }
  for (const std::exception_ptr& error : parts.errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace detail
}  // namespace gladius
