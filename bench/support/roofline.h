// What this machine can do at most, measured once a program, and counters that compare with it.
#pragma once

#include <benchmark/benchmark.h>

#include "gladius/tensor/tensor.h"

namespace gladius::bench {

/// Floating-point operations a second, in float32, of multiply-adds on blocks that stay in the
/// first-level caches, with all threads.
double multiply_add_peak();
/// The best MemoryStreams::triad() of a few.
double triad_bandwidth();

/// Streams through arrays of 256 MiB with all threads, far larger than the caches, in memory as
/// tensors have it (huge pages). One pass a call, for comparisons that alternate with what they
/// bound.
class MemoryStreams {
 public:
  MemoryStreams();
  /// Bytes a second of a[i] = b[i] + s * a[i], counting two arrays read and one written. (With a
  /// third array for the result, that would be fetched before it is overwritten.)
  double triad();
  /// Bytes a second of reading one array.
  double read() const;

 private:
  Tensor a_, b_;
};

/// Counters "FLOP/s" and "of_peak" of a benchmark that does `operations` an iteration.
void count_operations(benchmark::State& state, double operations);
/// Counters "B/s" and "of_triad" of a benchmark that moves `bytes` an iteration.
void count_bytes(benchmark::State& state, double bytes);
/// The same for float32 elements.
inline void count_elements(benchmark::State& state, double elements) {
  count_bytes(state, sizeof(float) * elements);
}

}  // namespace gladius::bench
