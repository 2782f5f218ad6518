// Times one training step of the full-size student (forward, loss, backward, clipping, AdamW)
// beside its bounds, measured in the same run: its matrix products alone, and the optimizer's
// memory traffic.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "gladius/tensor/allocator.h"
#include "gladius/tensor/kernels/gemm.h"
#include "gladius/tensor/parallel.h"
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

// All products of a step of T tokens, forward and backward, in OpenBLAS alone. Its operands are
// made once: their pages are not part of the time.
class ProductsAlone {
 public:
  ProductsAlone(const ModelConfig& config, std::int64_t T) : products_(products_of(config)), T_(T) {
    std::int64_t inputs = 0, outputs = 0, weights = 0;
    for (const Product& product : products_) {
      inputs = std::max(inputs, product.in);
      outputs = std::max(outputs, product.out);
      weights = std::max(weights, product.in * product.out);
    }
    x_ = Tensor::ones({T * inputs});
    y_ = Tensor::ones({T * outputs});
    w_ = Tensor::ones({weights});
  }

  double run() const {
    double total = 0;
    for (const Product& product : products_) {
      multiply(product);
      total += static_cast<double>(product.count) * seconds([&] { multiply(product); });
    }
    return total;
  }

 private:
  void multiply(const Product& product) const {
    const auto [in, out, count] = product;
    float *x = x_.data<float>(), *y = y_.data<float>(), *w = w_.data<float>();
    kernels::gemm<float>(false, true, T_, out, in, 1, x, in, w, in, 0, y, out);
    kernels::gemm<float>(false, false, T_, in, out, 1, y, out, w, in, 0, x, in);
    kernels::gemm<float>(true, false, out, in, T_, 1, y, out, x, in, 0, w, in);
  }

  std::vector<Product> products_;
  std::int64_t T_;
  Tensor x_, y_, w_;
};

Tensor random_ids(std::int64_t T, std::int64_t vocabulary) {
  Generator generator(1);
  std::vector<std::int64_t> ids;
  for (std::int64_t t = 0; t < T; ++t) ids.push_back(generator.randint(0, vocabulary));
  return Tensor::from(ids, {1, T});
}

nlohmann::ordered_json measure(CausalLM& model, std::int64_t T, int repeats) {
  const Tensor ids = random_ids(T, model.config().vocab_size);
  TrainingStep step(model);
  release_cached_memory();
  reset_peak();
  step.run(ids);  // the optimizer's moments are made
  step.run(ids);  // and are there while the activations are
  const std::uint64_t peak = memory_status("VmHWM:");
  const ProductsAlone products_alone(model.config(), T);
  std::vector<double> forward, backward, optimizer, products, total, ratios;
  for (int i = 0; i < repeats; ++i) {
    const TrainingStep::Result times = step.run(ids);
    forward.push_back(times.forward);
    backward.push_back(times.backward);
    optimizer.push_back(times.optimizer);
    total.push_back(times.seconds());
    products.push_back(products_alone.run());
    ratios.push_back((times.forward + times.backward) / products.back());
  }
  // Parameters, gradients and two moments are read once, all but the gradients written once; the
  // norm reads the gradients once more.
  const double bytes = 8.0 * 4 * static_cast<double>(model.num_parameters());
  const double optimizer_bound = bytes / triad_bandwidth();
  return {{"tokens", T},
          {"step_s", median(total)},
          {"step_min_s", *std::ranges::min_element(total)},
          {"step_max_s", *std::ranges::max_element(total)},
          {"forward_s", median(forward)},
          {"backward_s", median(backward)},
          {"optimizer_s", median(optimizer)},
          {"products_s", median(products)},
          {"optimizer_bound_s", optimizer_bound},
          // Of neighbours in time, as what else the machine does changes.
          {"step_without_optimizer_to_products", median(ratios)},
          {"optimizer_to_bound", median(optimizer) / optimizer_bound},
          {"tokens_per_s", static_cast<double>(T) / median(total)},
          {"peak_bytes", peak}};
}

void print(const nlohmann::ordered_json& result) {
  const auto value = [&](const char* key) { return result.at(key).get<double>(); };
  fmt::print(
      "{:>6} {:>8.3f} {:>8.3f} {:>8.3f} {:>8.3f} {:>9.3f} {:>6.2f} {:>8.3f} {:>6.2f} {:>8.1f} "
      "{:>7.2f}\n",
      result.at("tokens").get<std::int64_t>(), value("step_s"), value("forward_s"),
      value("backward_s"), value("optimizer_s"), value("products_s"),
      value("step_without_optimizer_to_products"), value("optimizer_bound_s"),
      value("optimizer_to_bound"), value("tokens_per_s"), value("peak_bytes") / 1e9);
}

void run(const Settings& settings) {
  if (settings.threads > 0) set_num_threads(settings.threads);
  CausalLM model(ModelConfig::load(settings.config));
  Generator generator(0);
  model.init_weights(generator);
  model.set_requires_grad(true);
  model.set_activation_checkpointing(settings.checkpoint);
  if (!settings.json) {
    fmt::print(
        "{} parameters, {} threads, medians of {} steps, seconds\n{:>6} {:>8} {:>8} {:>8} {:>8} "
        "{:>9} {:>6} {:>8} {:>6} {:>8} {:>7}\n",
        model.num_parameters(), num_threads(), settings.repeats, "tokens", "step", "forward",
        "backward", "optim", "products", "ratio", "opt.bound", "ratio", "tokens/s", "peak GB");
  }
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const std::int64_t T : settings.tokens) {
    results.push_back(measure(model, T, settings.repeats));
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
  program.add_flag("--json", settings.json, "Print JSON");
  CLI11_PARSE(program, argc, argv);
  return gladius::bench::exit_code("step", [&] { gladius::bench::run(settings); });
}
