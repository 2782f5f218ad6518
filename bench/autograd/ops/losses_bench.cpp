// Losses over the student's vocabulary.
#include <numeric>

#include "gladius/autograd/ops/alm_loss.h"
#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/autograd/ops/softmax.h"
#include "gladius/autograd/ops/uld_loss.h"
#include "gladius/nn/linear.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

// Logits are read and become the gradient.
void cross_entropy(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  const Tensor labels = random_ids(T);
  run_layer(state, elements(T * V, T * V), [&] {
    return gladius::cross_entropy(input({T, V}), labels);
  });
}

// Beside a teacher's logits, of as many entries.
void run_distillation_loss(benchmark::State& state, Divergence divergence) {
  const std::int64_t T = tokens_of(state);
  const Tensor labels = random_ids(T);
  run_layer(state, elements(2 * T * V, T * V), [&] {
    return gladius::distillation_loss(input({T, V}), activations().tensor({T, V}), labels,
                                      {.divergence = divergence})
        .loss;
  });
}
void distillation_loss(benchmark::State& state) {
  run_distillation_loss(state, Divergence::forward_kl);
}
void reverse_kl(benchmark::State& state) { run_distillation_loss(state, Divergence::reverse_kl); }
void jsd(benchmark::State& state) { run_distillation_loss(state, Divergence::jsd); }
void skew_kl(benchmark::State& state) { run_distillation_loss(state, Divergence::skew_kl); }

void mse_loss(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  run_layer(state, elements(2 * T * C, 3 * T * C), [&] {
    return gladius::mse_loss(input({T, C}), Variable(activations().tensor({T, C})));
  });
}

// Of two log-softmaxes that are there.
void kl_div(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  run_layer(state, elements(2 * T * V, 2 * T * V), [&] {
    return gladius::kl_div(input({T, V}), Variable(activations().tensor({T, V})),
                           LossReduction::batchmean, /*log_target=*/true);
  });
}

// The head and the loss in one.
void linear_cross_entropy(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  const Tensor labels = random_ids(T);
  Layers<nn::Linear> heads([] { return std::make_shared<nn::Linear>(C, V, false); });
  run_layer(state, linear_passes(T, C, V), [&] {
    return gladius::linear_cross_entropy(input({T, C}), heads.next().weight, labels);
  });
}

void linear_distillation_loss(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  const Tensor labels = random_ids(T);
  Layers<nn::Linear> heads([] { return std::make_shared<nn::Linear>(C, V, false); });
  run_layer(state, linear_passes(T, C, V) + elements(T * V, 0), [&] {
    return gladius::linear_distillation_loss(input({T, C}), heads.next().weight,
                                             rows_of(activations().tensor({T, V}), T), labels)
        .loss;
  });
}

// The same with chunks of two tokens; the kernel runs twice.
void linear_alm_loss(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  const Tensor labels = random_ids(T);
  AlmTargets targets{.tokens = labels, .chunks = {}};
  for (std::int64_t row = 0; row + 2 <= T; row += 2) targets.chunks.push_back({row, row + 2, -3});
  Layers<nn::Linear> heads([] { return std::make_shared<nn::Linear>(C, V, false); });
  run_layer(state, linear_passes(T, C, V), [&] {
    return gladius::linear_alm_loss(input({T, C}), heads.next().weight, targets, labels).loss;
  });
}

// Beside a teacher of as many entries.
void linear_uld_loss(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  const Tensor labels = random_ids(T);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(T));
  std::iota(rows.begin(), rows.end(), 0);
  Layers<nn::Linear> heads([] { return std::make_shared<nn::Linear>(C, V, false); });
  run_layer(state, linear_passes(T, C, V) + elements(T * V, 0), [&] {
    return gladius::linear_uld_loss(input({T, C}), heads.next().weight,
                                    rows_of(activations().tensor({T, V}), T), rows, labels)
        .loss;
  });
}

void passes_over_logits(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"backward", "T"})->ArgsProduct({{0, 1}, {16, 512}})->UseRealTime();
}
BENCHMARK(cross_entropy)->Apply(passes_over_logits);
BENCHMARK(distillation_loss)->Apply(passes_over_logits);
BENCHMARK(reverse_kl)->Apply(passes_over_logits);
BENCHMARK(jsd)->Apply(passes_over_logits);
BENCHMARK(skew_kl)->Apply(passes_over_logits);
BENCHMARK(mse_loss)->Apply(passes_and_tokens);
BENCHMARK(kl_div)->Apply(passes_over_logits);
BENCHMARK(linear_cross_entropy)->Apply(passes_and_tokens);
BENCHMARK(linear_distillation_loss)->Apply(passes_and_tokens);
BENCHMARK(linear_alm_loss)->Apply(passes_and_tokens);
BENCHMARK(linear_uld_loss)->Apply(passes_and_tokens);

}  // namespace
}  // namespace gladius::bench
