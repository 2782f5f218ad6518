// Benchmarks of kernels that work on rows.
#pragma once

#include <array>

#include "gladius/tensor/parallel.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {

/// Arguments of a benchmark over logits.
inline void rows_of_logits(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("T")->Arg(16)->Arg(512)->UseRealTime();
}

/// Times kernel(in, out, row, rows) on all threads, which share out the T rows of `width` elements
/// of `kInputs` arrays that it reads and `kOutputs` that it writes. Its bound is to move each once.
template <std::size_t kInputs, std::size_t kOutputs, class Kernel>
void run_rows(benchmark::State& state, std::int64_t width, Kernel&& kernel) {
  constexpr std::int64_t grain = 8;
  const std::int64_t T = state.range(0), size = T * width;
  for (auto _ : state) {
    std::array<const float*, kInputs> in{};
    std::array<float*, kOutputs> out{};
    for (const float*& x : in) x = activations().elements(size);
    for (float*& y : out) y = results().elements(size);
    parallel_for(T, grain, [&](std::int64_t begin, std::int64_t end) {
      std::array<const float*, kInputs> in_rows = in;
      std::array<float*, kOutputs> out_rows = out;
      for (const float*& x : in_rows) x += begin * width;
      for (float*& y : out_rows) y += begin * width;
      kernel(in_rows, out_rows, begin, end - begin);
    });
  }
  count_elements(state, static_cast<double>(size) * (kInputs + kOutputs));
}

}  // namespace gladius::bench
