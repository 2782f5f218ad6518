// Differentiable functions that must agree, in value and gradients.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gladius/autograd/gradcheck.h"
#include "gladius/autograd/ops/reduce.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius::testing {

using Inputs = std::vector<Variable>;

/// |actual - expected| <= tolerance * max(1, |expected|) for each element; NaN where NaN is
/// expected.
inline void expect_near(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape());
  const std::vector<double> a = actual.to_vector<double>(), e = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]))) continue;
    ASSERT_LE(std::abs(a[i] - e[i]), tolerance * std::max(1.0, std::abs(e[i])))
        << "element " << i << " of " << to_string(actual.shape()) << ": " << a[i] << ", expected "
        << e[i];
  }
}

/// Tensors as leaves; bit i of `mask` says whether the i-th requires a gradient.
inline Inputs leaves(const std::vector<Tensor>& tensors, unsigned mask = ~0u) {
  Inputs inputs;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    inputs.emplace_back(tensors[i], (mask >> i & 1u) != 0);
  }
  return inputs;
}

/// The value of `function` and, with a seed, the gradients of the inputs that require one.
struct Evaluation {
  Evaluation(const Function& function, const Inputs& inputs) : value(function(inputs)) {
    std::ranges::copy_if(inputs, std::back_inserter(wanted), &Variable::requires_grad);
  }
  std::vector<Variable> gradients(const Tensor& seed) const {
    return grad({value}, wanted, {Variable(seed)});
  }
  Variable value;
  Inputs wanted;
};

inline void expect_same_evaluation(Rng& rng, const Evaluation& actual, const Evaluation& expected,
                                   double tolerance) {
  expect_near(actual.value.value(), expected.value.value(), tolerance);
  ASSERT_EQ(actual.value.requires_grad(), !actual.wanted.empty());
  // A composition without a single element to compute may leave the graph.
  if (!expected.value.requires_grad()) return;
  const Tensor seed = random_tensor(rng, actual.value.shape(), -1, 1, Dtype::F32);
  const std::vector<Variable> a = actual.gradients(seed.to(actual.value.dtype()));
  const std::vector<Variable> e = expected.gradients(seed.to(expected.value.dtype()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    SCOPED_TRACE("gradient " + std::to_string(i));
    ASSERT_TRUE(a[i].defined() && e[i].defined());
    expect_near(a[i].value(), e[i].value(), tolerance);
  }
}

/// In float64: the same values and gradients, whichever of the inputs are frozen.
inline void expect_same_function(Rng& rng, const Function& actual, const Function& expected,
                                 const std::vector<Tensor>& tensors, double tolerance = 1e-10) {
  for (unsigned mask = 0; mask < 1u << tensors.size(); ++mask) {
    SCOPED_TRACE("inputs that require a gradient: mask " + std::to_string(mask));
    expect_same_evaluation(rng, {actual, leaves(tensors, mask)}, {expected, leaves(tensors, mask)},
                           tolerance);
  }
}

/// `actual` in float32 against `expected` in float64, of the same (float32) inputs.
inline void expect_float_agrees(Rng& rng, const Function& actual, const Function& expected,
                                const std::vector<Tensor>& tensors, double tolerance = 1e-5) {
  std::vector<Tensor> single, wide;
  for (const Tensor& tensor : tensors) {
    single.push_back(tensor.to(Dtype::F32));
    wide.push_back(single.back().to(Dtype::F64));
  }
  expect_same_evaluation(rng, {actual, leaves(single)}, {expected, leaves(wide)}, tolerance);
}

/// Whichever of the inputs are frozen: the gradients are the same when they are to be
/// differentiated themselves (the other form of a fused operation), and then their gradients agree
/// with differences.
inline void expect_twice_differentiable(const Function& function,
                                        const std::vector<Tensor>& tensors,
                                        double tolerance = 1e-10) {
  for (unsigned mask = 1; mask < 1u << tensors.size(); ++mask) {
    SCOPED_TRACE("inputs that require a gradient: mask " + std::to_string(mask));
    const Inputs inputs = leaves(tensors, mask);
    const Evaluation evaluation(function, inputs);
    if (!evaluation.value.requires_grad()) continue;
    Rng rng(mask);
    const Variable seed(random_tensor(rng, evaluation.value.shape()));
    const auto gradients = [&](bool create_graph) {
      return grad({evaluation.value}, evaluation.wanted, {seed}, /*retain_graph=*/true,
                  create_graph);
    };
    const std::vector<Variable> recorded = gradients(true), plain = gradients(false);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      SCOPED_TRACE("gradient " + std::to_string(i));
      ASSERT_TRUE(recorded[i].defined() && plain[i].defined());
      expect_near(recorded[i].value(), plain[i].value(), tolerance);
    }
    EXPECT_NO_THROW(gradgradcheck(function, inputs));
  }
}

}  // namespace gladius::testing
