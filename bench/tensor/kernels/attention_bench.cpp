// Attention with the student's heads (H = 12, Hkv = 4, D = 64), as slices of one fused product.
#include <algorithm>
#include <vector>

#include "gladius/tensor/kernels/attention.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

struct Student {
  kernels::AttentionShape shape;
  std::vector<float> qkv, dqkv, out, dout, lse;

  Student(std::int64_t queries, std::int64_t keys, std::int64_t kv_heads,
          Precision precision = Precision::f32) {
    const std::int64_t token = (H + 2 * kv_heads) * D;
    shape = {1, queries, keys, H, kv_heads, D, token, token, token, H * D, 0.125};
    shape.precision = precision;
    qkv = activations().tensor({keys, token}).to_vector<float>();
    dout = activations().tensor({queries, H * D}).to_vector<float>();
    dqkv.resize(qkv.size());
    out.resize(dout.size());
    lse.resize(static_cast<std::size_t>(H * queries));
  }

  void forward() {
    kernels::attention(shape, qkv.data(), keys(qkv), values(qkv), out.data(), lse.data());
  }
  void backward() {
    kernels::attention_backward(shape, qkv.data(), keys(qkv), values(qkv), out.data(), lse.data(),
                                dout.data(), dqkv.data(), keys(dqkv), values(dqkv));
  }
  float* keys(std::vector<float>& fused) const { return fused.data() + shape.H * shape.D; }
  float* values(std::vector<float>& fused) const { return keys(fused) + shape.Hkv * shape.D; }
  // Of the two products over the visible pairs, T * (T + 1) / 2 a head.
  double forward_operations() const {
    return 2.0 * static_cast<double>(shape.H * shape.T * (shape.T + 1) * shape.D);
  }
};

template <Precision precision>
void scaled_dot_product_attention_forward(benchmark::State& state) {
  Student student(state.range(0), state.range(0), state.range(1), precision);
  for (auto _ : state) student.forward();
  count_operations(state, student.forward_operations());
}

template <Precision precision>
void scaled_dot_product_attention_backward(benchmark::State& state) {
  Student student(state.range(0), state.range(0), state.range(1), precision);
  student.forward();
  for (auto _ : state) student.backward();
  count_operations(state, 2.5 * student.forward_operations());
}

// One query against caches of keys and values [1, S, Hkv, D], which come from memory.
void scaled_dot_product_attention_decode(benchmark::State& state) {
  const std::int64_t keys = state.range(0), token = state.range(1) * D;
  Student student(1, keys, state.range(1));
  student.shape.k_stride = student.shape.v_stride = token;
  for (auto _ : state) {
    kernels::attention(student.shape, student.qkv.data(), activations().elements(keys * token),
                       activations().elements(keys * token), student.out.data(),
                       student.lse.data());
  }
  count_elements(state, 2.0 * static_cast<double>(keys * token));
}

void student_lengths(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"T", "Hkv"})
      ->ArgsProduct({{16, 64, 512, 2048}, {4}})
      ->Args({512, 1})
      ->UseRealTime();
}
#define STUDENT_ATTENTION(kernel)                                           \
  BENCHMARK(kernel<Precision::f32>)->Name(#kernel)->Apply(student_lengths); \
  BENCHMARK(kernel<Precision::bf16>)->Name(#kernel "_in_bf16")->Apply(student_lengths)
STUDENT_ATTENTION(scaled_dot_product_attention_forward);
STUDENT_ATTENTION(scaled_dot_product_attention_backward);
#undef STUDENT_ATTENTION
BENCHMARK(scaled_dot_product_attention_decode)
    ->ArgNames({"S", "Hkv"})
    ->ArgsProduct({{64, 512, 2048, 32768}, {4}})
    ->Args({2048, 1})
    ->UseRealTime();

}  // namespace
}  // namespace gladius::bench
