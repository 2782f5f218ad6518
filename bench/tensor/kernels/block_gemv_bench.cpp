// Rows of x against quantised weights [F, C].
#include <algorithm>
#include <iterator>
#include <string>

#include "gladius/tensor/kernels/blocks.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

constexpr Dtype kTypes[] = {Dtype::Q4_0, Dtype::Q4_1, Dtype::Q5_0, Dtype::Q5_1, Dtype::Q8_0,
                            Dtype::Q2_K, Dtype::Q3_K, Dtype::Q4_K, Dtype::Q5_K, Dtype::Q6_K};

constexpr std::int64_t kFirstK = 5;

// As many weights as come from memory each time; zeros are read as fast as other numbers.
class Blocks {
 public:
  explicit Blocks(Dtype dtype) : matrices_(Tensor::empty({kMatrices * F, C}, dtype)) {
    std::fill_n(matrices_.raw_data(), matrices_.nbytes(), std::byte{0});
  }
  Tensor next() { return matrices_.narrow(0, F * (at_++ % kMatrices), F); }

 private:
  static constexpr std::int64_t kMatrices = 128;
  Tensor matrices_;
  std::int64_t at_ = 0;
};

template <class Kernel>
void multiply_blocks(benchmark::State& state, Kernel kernel) {
  const std::int64_t T = state.range(0);
  const Dtype dtype = kTypes[state.range(1)];
  state.SetLabel(std::string(dtype_name(dtype)));
  Blocks blocks(dtype);
  for (auto _ : state) {
    const Tensor w = blocks.next();
    kernel(dtype, T, F, C, activations().elements(T * C), C, w.raw_data(),
           static_cast<std::int64_t>(w.nbytes()) / F, results().elements(T * F), F);
  }
  count_operations(state, 2.0 * static_cast<double>(T * F * C));
  count_bytes(state, static_cast<double>(dtype_bytes(dtype, F * C)) +
                         4.0 * static_cast<double>(T * (F + C)));
}

void matmul_few_rows_quantized(benchmark::State& state) {
  multiply_blocks(state, kernels::block_gemv);
}
// Of the K types; of_peak is a fraction of what float products could do.
void matmul_quantized(benchmark::State& state) { multiply_blocks(state, kernels::block_gemm); }

BENCHMARK(matmul_few_rows_quantized)
    ->ArgNames({"T", "type"})
    ->ArgsProduct({{1, 4}, benchmark::CreateDenseRange(0, std::size(kTypes) - 1, 1)})
    ->UseRealTime();
BENCHMARK(matmul_quantized)
    ->ArgNames({"T", "type"})
    ->ArgsProduct({{64, 512}, benchmark::CreateDenseRange(kFirstK, std::size(kTypes) - 1, 1)})
    ->UseRealTime();

}  // namespace
}  // namespace gladius::bench
