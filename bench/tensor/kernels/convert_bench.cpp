// Both tables of the vocabulary, as weights are loaded from 16 bits and stored to them.
#include "gladius/tensor/kernels/convert.h"
#include "gladius/tensor/parallel.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

constexpr std::int64_t kConverted = 2 * V * C;

template <class From, class To>
void convert(benchmark::State& state) {
  const Tensor source = weights().tensor({kConverted}).to(dtype_of<From>);
  const Tensor target = Tensor::empty({kConverted}, dtype_of<To>);
  const From* x = source.data<From>();
  To* y = target.data<To>();
  for (auto _ : state) {
    parallel_for(kConverted, kConverted / 64, [&](std::int64_t begin, std::int64_t end) {
      kernels::convert(x + begin, y + begin, end - begin);
    });
  }
  count_bytes(state, static_cast<double>(kConverted) * (sizeof(From) + sizeof(To)));
}

BENCHMARK(convert<bfloat16, float>)->Name("convert_bf16_to_f32")->UseRealTime();
BENCHMARK(convert<float16, float>)->Name("convert_f16_to_f32")->UseRealTime();
BENCHMARK(convert<float, bfloat16>)->Name("convert_f32_to_bf16")->UseRealTime();
BENCHMARK(convert<float, float16>)->Name("convert_f32_to_f16")->UseRealTime();

}  // namespace
}  // namespace gladius::bench
