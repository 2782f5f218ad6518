// Benchmarks of layers and losses: forward as inference does it, or forward and backward.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "gladius/autograd/grad_mode.h"
#include "gladius/nn/module.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {

/// What has to be done at least: floating-point operations of the products, and float32 elements
/// read from or written to memory.
struct Bound {
  double operations = 0, elements = 0;

  Bound operator+(const Bound& other) const {
    return {operations + other.operations, elements + other.elements};
  }
};

/// The bounds of a pass and of its backward.
struct Passes {
  Bound forward, backward;

  Passes operator+(const Passes& other) const {
    return {forward + other.forward, backward + other.backward};
  }
};

/// Of an operation without products, which moves so many elements.
inline Passes elements(std::int64_t forward, std::int64_t backward) {
  return {{0, static_cast<double>(forward)}, {0, static_cast<double>(backward)}};
}

/// Of y [T, out] = x [T, in] W^T: a product forward, two backward, which read the weight and add to
/// its gradient.
inline Passes linear_passes(std::int64_t T, std::int64_t in, std::int64_t out) {
  const auto operations = 2 * static_cast<double>(T * in * out);
  const auto weight = static_cast<double>(in * out);
  const auto x = static_cast<double>(T * in), y = static_cast<double>(T * out);
  return {{operations, weight + x + y}, {2 * operations, 3 * weight + 2 * x + y}};
}

/// Arguments of the benchmark of a layer: forward alone or with backward, T tokens.
inline void passes_and_tokens(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"backward", "T"})->ArgsProduct({{0, 1}, {16, 512, 2048}})->UseRealTime();
}
inline std::int64_t tokens_of(const benchmark::State& state) { return state.range(1); }

/// Times y = apply(), with backward as the arguments say, and counts what the bound allows.
template <class Apply>
void run_layer(benchmark::State& state, const Passes& passes, Apply&& apply) {
  const bool backward = state.range(0) != 0;
  const GradMode mode(backward);
  for (auto _ : state) {
    const Variable y = apply();
    if (backward) y.backward(Variable(activations().tensor(y.shape())));
  }
  const Bound bound = backward ? passes.forward + passes.backward : passes.forward;
  if (bound.operations > 0) count_operations(state, bound.operations);
  count_elements(state, bound.elements);
}

/// The input of a layer, whose gradient is wanted.
inline Variable input(const Shape& shape) {
  return Variable(activations().tensor(shape), /*requires_grad=*/true);
}

/// Layers of one kind, used one after another as those of a model: their weights and gradients come
/// from memory. Gradients are added to those that are there, as in all micro-batches of an update
/// but the first.
template <class L>
class Layers {
 public:
  /// make() gives a new one.
  template <class Make>
  explicit Layers(Make&& make) {
    const std::int64_t parameters = std::max<std::int64_t>(1, make()->num_parameters());
    const std::int64_t count = std::clamp<std::int64_t>(OperandRing::kSize / parameters, 1, 64);
    for (std::int64_t i = 0; i < count; ++i) layers_.push_back(initialised(make()));
  }

  L& next() { return *layers_[position_++ % layers_.size()]; }

 private:
  static std::shared_ptr<L> initialised(std::shared_ptr<L> layer) {
    NamedTensors state;
    for (const auto& [name, parameter] : layer->named_parameters()) {
      state.emplace_back(name, weights().tensor(parameter.shape()));
    }
    layer->take_state_dict(state);
    layer->set_requires_grad(true);
    for (Variable parameter : layer->parameters()) {
      parameter.set_grad(results().tensor(parameter.shape()));
    }
    return layer;
  }

  std::vector<std::shared_ptr<L>> layers_;
  std::size_t position_ = 0;
};

}  // namespace gladius::bench
