// What the benchmarks compute with: the student's sizes, and operands that come from memory.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

#include "gladius/tensor/tensor.h"

namespace gladius::bench {

/// Of the 124.7M student (configs/gladius-125m.json).
inline constexpr std::int64_t C = 768, F = 2048, H = 12, Hkv = 4, D = 64, V = 32000;

/// Arguments of a benchmark over tokens: T of a short, a usual and a long sequence.
inline void tokens(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("T")->Arg(16)->Arg(512)->Arg(2048)->UseRealTime();
}

/// 256 MiB that operands are taken from in turns, so that each comes from memory. In a training
/// step gigabytes lie between two uses of a weight, a gradient or a saved activation too.
class OperandRing {
 public:
  /// Of normally distributed elements; zeros for a standard deviation of 0.
  explicit OperandRing(double standard_deviation);

  /// The next n elements, aligned to cache lines.
  float* elements(std::int64_t n);
  /// The same as a tensor.
  Tensor tensor(const Shape& shape);

  static constexpr std::int64_t kSize = std::int64_t{64} << 20;  // elements

 private:
  std::int64_t advance(std::int64_t n);

  Tensor memory_;
  std::int64_t position_ = 0;
};

OperandRing& activations();  // standard normal; for reading
OperandRing& weights();      // with the student's deviation of 0.02; for reading
OperandRing& results();      // for writing

/// I64 [T], each below `end`.
Tensor random_ids(std::int64_t T, std::int64_t end);

}  // namespace gladius::bench
