// Gradients and second gradients of operations against differences.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "gladius/autograd/gradcheck.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/tensor/elementwise.h"
#include "support/differentiable.h"

namespace gladius::testing {

/// Every element of the gradients, and of the gradients of the gradients.
inline void expect_gradients(const Function& function, const Inputs& inputs) {
  EXPECT_NO_THROW(gradcheck(function, inputs));
  EXPECT_NO_THROW(gradgradcheck(function, inputs, {.step = 1e-5, .atol = 1e-5, .rtol = 1e-4}));
}

/// The shapes that gradients are checked on: a scalar, one element, none, some random ones.
inline std::vector<Shape> gradient_shapes(Rng& rng) {
  std::vector<Shape> shapes{{}, {1}, {1, 1}, {0}, {2, 0, 3}};
  for (int i = 0; i < 6; ++i) shapes.push_back(random_shape(rng, random_int(rng, 1, 3)));
  return shapes;
}

/// Some dimensions of a rank, each at most once, negative ones among them.
inline std::vector<std::int64_t> random_dims(Rng& rng, std::int64_t rank) {
  std::vector<std::int64_t> dims;
  for (std::int64_t d = 0; d < rank; ++d) {
    if (random_int(rng, 0, 1)) dims.push_back(random_int(rng, 0, 1) ? d : d - rank);
  }
  return dims;
}

/// For functions of many elements: the Hessian times random vectors v, by differentiating twice,
/// against the difference of the gradients at x + h v and x - h v, element by element.
inline void expect_hessian_vector_products(Rng& rng, const Function& function,
                                           const std::vector<Tensor>& at) {
  constexpr double h = 1e-5;
  std::vector<Tensor> v;
  for (const Tensor& x : at) v.push_back(random_tensor(rng, x.shape()));
  const Tensor seed = random_tensor(rng, function(leaves(at)).shape());
  const auto gradients = [&](const Inputs& inputs, bool create_graph) {
    return grad({function(inputs)}, inputs, {Variable(seed)}, false, create_graph);
  };
  const auto moved = [&](double step) {
    std::vector<Tensor> x;
    for (std::size_t i = 0; i < at.size(); ++i) x.push_back(add(at[i], mul(v[i], step)));
    return gradients(leaves(x), false);
  };
  const std::vector<Variable> above = moved(h), below = moved(-h);
  const Inputs inputs = leaves(at);
  const std::vector<Variable> first = gradients(inputs, true);
  Variable product(Tensor::scalar(0, Dtype::F64));
  for (std::size_t i = 0; i < at.size(); ++i) {
    // Where the gradient is constant, a graph all the same.
    product = product + sum(first[i] * Variable(v[i])) + sum(inputs[i]) * 0.0;
  }
  const std::vector<Variable> second = grad({product}, inputs);
  for (std::size_t i = 0; i < at.size(); ++i) {
    SCOPED_TRACE("input " + std::to_string(i));
    expect_near(second[i].value(), mul(sub(above[i].value(), below[i].value()), 0.5 / h), 1e-8);
  }
}

}  // namespace gladius::testing
