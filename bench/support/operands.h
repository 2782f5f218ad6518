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

  /// The next n elements, aligned to cache lines; for reading.
  const float* elements(std::int64_t n) { return next(n); }
  /// The same as a tensor.
  Tensor tensor(const Shape& shape);

  static constexpr std::int64_t kSize = std::int64_t{64} << 20;  // elements

 protected:
  float* next(std::int64_t n) { return memory_.data<float>() + advance(n); }

 private:
  std::int64_t advance(std::int64_t n);

  Tensor memory_;
  std::int64_t position_ = 0;
};

/// The same for writing.
class ResultRing : public OperandRing {
 public:
  ResultRing() : OperandRing(0) {}
  float* elements(std::int64_t n) { return next(n); }
};

OperandRing& activations();  // standard normal
OperandRing& weights();      // with the student's standard deviation of 0.02
ResultRing& results();

/// Random tokens of the vocabulary, I64 [T].
Tensor random_ids(std::int64_t T);

/// Batches of T random tokens, one after another, so that their rows of a table come from memory.
class TokenBatches {
 public:
  explicit TokenBatches(std::int64_t T) : T_(T), ids_(random_ids(2 * V)) {}
  /// I64 [T].
  Tensor next();

 private:
  std::int64_t T_, position_ = 0;
  Tensor ids_;
};

}  // namespace gladius::bench
