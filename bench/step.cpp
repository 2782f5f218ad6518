// Times one training step of the full-size student (forward, loss, backward, clipping, AdamW)
// beside its bounds, measured in the same run: its matrix products alone in OpenBLAS, the memory
// traffic of the weights and of the optimizer.
#include <cblas.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "gladius/tensor/allocator.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/precision.h"
#include "gladius/tensor/random.h"
#include "support/measure.h"
#include "support/roofline.h"
#include "support/training_step.h"

namespace gladius::bench {
namespace {

struct Settings {
  std::string config;
  std::vector<std::int64_t> tokens{16, 64, 512, 2048};
  int repeats = 7;
  int threads = 0;
  bool checkpoint = false;
  bool bf16 = false;
  bool json = false;
};

// A product of the step: [rows, in] x [in, out] and its two gradients, so many times.
struct Product {
  std::int64_t in, out, count;
};

std::vector<Product> products_of(const ModelConfig& c) {
  const std::int64_t L = c.num_hidden_layers, C = c.hidden_size, F = c.intermediate_size;
  const std::int64_t Q = c.num_attention_heads * c.head_dim, K = c.num_key_value_heads * c.head_dim;
  return {{C, Q, L}, {C, K, 2 * L}, {Q, C, L}, {C, F, 2 * L}, {F, C, L}, {C, c.vocab_size, 1}};
}

void sgemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
           const float* a, const float* b, float* c) {
  const auto size = [](std::int64_t value) { return static_cast<blasint>(value); };
  cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
              trans_b ? CblasTrans : CblasNoTrans, size(m), size(n), size(k), 1, a,
              size(trans_a ? m : k), b, size(trans_b ? k : n), 0, c, size(n));
}

// The products of a step of T tokens, forward and backward, in OpenBLAS alone. Their operands are
// made once: their pages are not part of the time.
class ProductsAlone {
 public:
  ProductsAlone(const ModelConfig& config, std::int64_t T)
      : products_(products_of(config)),
        T_(T),
        layers_(config.num_hidden_layers),
        heads_(config.num_attention_heads),
        head_dim_(config.head_dim) {
    std::int64_t inputs = heads_ * head_dim_, outputs = 0, weights = 0;
    for (const Product& product : products_) {
      inputs = std::max(inputs, product.in);
      outputs = std::max(outputs, product.out);
      weights = std::max(weights, product.in * product.out);
    }
    x_ = Tensor::ones({T * inputs});
    y_ = Tensor::ones({T * std::max(outputs, inputs)});
    w_ = Tensor::ones({weights});
    scores_ = Tensor::ones({heads_ * kQueries * T});
  }

  /// Those of the weights.
  double linear() const {
    double total = 0;
    for (const Product& product : products_) {
      multiply(product);
      total += static_cast<double>(product.count) * seconds([&] { multiply(product); });
    }
    return total;
  }

  /// Those of attention: of each block of queries with the keys up to its end, the heads in
  /// parallel; two forward and five backward.
  double attention() const {
    attend();
    return static_cast<double>(layers_) * seconds([&] { attend(); });
  }

 private:
  static constexpr std::int64_t kQueries = 256;

  void multiply(const Product& product) const {
    const auto [in, out, count] = product;
    float *x = x_.data<float>(), *y = y_.data<float>(), *w = w_.data<float>();
    sgemm(false, true, T_, out, in, x, w, y);
    sgemm(false, false, T_, in, out, y, w, x);
    sgemm(true, false, out, in, T_, y, x, w);
  }

  void attend() const {
    parallel_for(heads_, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t head = begin; head < end; ++head) {
        float* tokens = x_.data<float>() + head * T_ * head_dim_;
        float* result = y_.data<float>() + head * T_ * head_dim_;
        float* scores = scores_.data<float>() + head * kQueries * T_;
        for (std::int64_t t = 0; t < T_; t += kQueries) {
          const std::int64_t queries = std::min(kQueries, T_ - t), keys = t + queries;
          for (int i = 0; i < 3; ++i) {  // scores, twice, and the gradient of probabilities
            sgemm(false, true, queries, keys, head_dim_, tokens, tokens, scores);
          }
          for (int i = 0; i < 2; ++i) {  // the output, and the gradient of the queries
            sgemm(false, false, queries, head_dim_, keys, scores, tokens, result);
          }
          for (int i = 0; i < 2; ++i) {  // the gradients of keys and values
            sgemm(true, false, keys, head_dim_, queries, scores, tokens, result);
          }
        }
      }
    });
  }

  std::vector<Product> products_;
  std::int64_t T_, layers_, heads_, head_dim_;
  Tensor x_, y_, w_, scores_;
};

Tensor random_ids(std::int64_t T, std::int64_t vocabulary) {
  Generator generator(1);
  std::vector<std::int64_t> ids;
  for (std::int64_t t = 0; t < T; ++t) ids.push_back(generator.randint(0, vocabulary));
  return Tensor::from(ids, {1, T});
}

nlohmann::ordered_json measure(LanguageModel& model, std::int64_t T, int repeats) {
  const Tensor ids = random_ids(T, model.config().vocab_size);
  TrainingStep step(model);
  release_cached_memory();
  reset_peak();
  step.run(ids);  // the optimizer's moments are made
  step.run(ids);  // and are there while the activations are
  const std::uint64_t peak = memory_status("VmHWM:");
  const ProductsAlone products_alone(model.config(), T);
  // Of neighbours in time, as what else the machine does changes.
  std::vector<double> forward, backward, optimizer, linear, attention, total, to_linear, to_all;
  for (int i = 0; i < repeats; ++i) {
    const TrainingStep::Result times = step.run(ids);
    forward.push_back(times.forward);
    backward.push_back(times.backward);
    optimizer.push_back(times.optimizer);
    total.push_back(times.seconds());
    linear.push_back(products_alone.linear());
    attention.push_back(products_alone.attention());
    const double passes = times.forward + times.backward;
    to_linear.push_back(passes / linear.back());
    to_all.push_back(passes / (linear.back() + attention.back()));
  }
  // Parameters, gradients and two moments are read once, all but the gradients written once; the
  // norm reads the gradients once more.
  const double bytes = 8.0 * 4 * static_cast<double>(model.num_parameters());
  const double optimizer_bound = bytes / triad_bandwidth();
  // The weights of products are read in both passes, their gradients written.
  double weights = 0;
  for (const auto& [in, out, count] : products_of(model.config())) {
    weights += static_cast<double>(in * out * count);
  }
  const double weights_bound = 3.0 * 4 * weights / triad_bandwidth();
  const double passes_bound = std::max(median(linear), weights_bound);
  return {{"tokens", T},
          {"step_s", median(total)},
          {"step_min_s", *std::ranges::min_element(total)},
          {"step_max_s", *std::ranges::max_element(total)},
          {"forward_s", median(forward)},
          {"backward_s", median(backward)},
          {"optimizer_s", median(optimizer)},
          {"products_s", median(linear)},
          {"attention_products_s", median(attention)},
          {"weights_bound_s", weights_bound},
          {"optimizer_bound_s", optimizer_bound},
          {"step_without_optimizer_to_products", median(to_linear)},
          {"step_without_optimizer_to_all_products", median(to_all)},
          {"step_without_optimizer_to_bound", (median(forward) + median(backward)) / passes_bound},
          {"optimizer_to_bound", median(optimizer) / optimizer_bound},
          {"tokens_per_s", static_cast<double>(T) / median(total)},
          {"peak_bytes", peak}};
}

void print(const nlohmann::ordered_json& result) {
  const auto value = [&](const char* key) { return result.at(key).get<double>(); };
  fmt::print(
      "{:>6} {:>8.3f} {:>8.3f} {:>8.3f} {:>8.3f} {:>9.3f} {:>6.2f} {:>9.3f} {:>6.2f} {:>9.3f} "
      "{:>6.2f} {:>8.1f} {:>7.2f}\n",
      result.at("tokens").get<std::int64_t>(), value("step_s"), value("forward_s"),
      value("backward_s"), value("optimizer_s"), value("products_s"),
      value("step_without_optimizer_to_products"), value("attention_products_s"),
      value("step_without_optimizer_to_all_products"), value("optimizer_bound_s"),
      value("optimizer_to_bound"), value("tokens_per_s"), value("peak_bytes") / 1e9);
}

void run(const Settings& settings) {
  const PrecisionScope precision(settings.bf16 ? Precision::bf16 : Precision::f32);
  if (settings.threads > 0) set_num_threads(settings.threads);
  const auto model = make_language_model(ModelConfig::load(settings.config));
  Generator generator(0);
  model->init_weights(generator);
  model->set_requires_grad(true);
  model->set_activation_checkpointing(settings.checkpoint);
  if (!settings.json) {
    fmt::print(
        "{} parameters, {} threads, medians of {} steps, seconds; ratios of forward and backward "
        "to the products alone\n{:>6} {:>8} {:>8} {:>8} {:>8} {:>9} {:>6} {:>9} {:>6} {:>9} {:>6} "
        "{:>8} {:>7}\n",
        model->num_parameters(), num_threads(), settings.repeats, "tokens", "step", "forward",
        "backward", "optim", "products", "ratio", "+attent.", "ratio", "opt.bound", "ratio",
        "tokens/s", "peak GB");
  }
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const std::int64_t T : settings.tokens) {
    results.push_back(measure(*model, T, settings.repeats));
    if (!settings.json) print(results.back());
    std::fflush(stdout);
  }
  if (settings.json) fmt::print("{}\n", results.dump(2));
}

}  // namespace
}  // namespace gladius::bench

int main(int argc, char** argv) {
  gladius::bench::Settings settings;
  settings.config = GLADIUS_SOURCE_DIR "/configs/gladius-125m.json";
  CLI::App program("Times the student's training step beside its bounds.", "step");
  program.add_option("--config", settings.config, "Model configuration")->capture_default_str();
  program.add_option("--tokens", settings.tokens, "Sequence lengths")->delimiter(',');
  program.add_option("--repeats", settings.repeats, "Steps of each length")
      ->check(CLI::PositiveNumber);
  program.add_option("--threads", settings.threads, "Threads (default: all)");
  program.add_flag("--checkpoint", settings.checkpoint, "Activation checkpointing");
  program.add_flag("--bf16", settings.bf16, "Products of bf16 operands");
  program.add_flag("--json", settings.json, "Print JSON");
  CLI11_PARSE(program, argc, argv);
  return gladius::bench::exit_code("step", [&] { gladius::bench::run(settings); });
}
