// Every operation with dimensions, sizes, indices and steps at the ends of their type, on tensors
// of ordinary and of extreme shapes: an Error or a result, and (under the sanitizers) no overflow.
// That the results are PyTorch's is compared in tests/interop/operations_test.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/attention.h"
#include "gladius/autograd/ops/dropout.h"
#include "gladius/autograd/ops/embedding.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/layer_norm.h"
#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/rms_norm.h"
#include "gladius/autograd/ops/rotary_embedding.h"
#include "gladius/autograd/ops/softmax.h"
#include "gladius/autograd/ops/swiglu.h"
#include "gladius/autograd/ops/views.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using Variables = std::vector<Variable>;

constexpr std::int64_t kHuge = std::int64_t{1} << 62;
const std::vector<std::int64_t> kNumbers = {
    INT64_MIN, INT64_MIN + 1, -kHuge,        -3,       -1, 0, 1, 2, kHuge / 2 + 1,
    kHuge - 1, kHuge,         INT64_MAX - 1, INT64_MAX};

// Leaves with few elements or none. (One of many cannot be: not even expanded, as most operations
// would walk over it for years.)
Variables small_leaves() {
  const auto leaf = [](const Tensor& value) { return Variable(value, true); };
  const auto empty = [&](const Shape& shape) { return leaf(Tensor::empty(shape)); };
  return {leaf(Tensor::ones({3, 4})),
          leaf(Tensor::ones({4, 3}).transpose(0, 1)),
          leaf(Tensor::ones({1, 2, 1, 4})),
          leaf(Tensor::ones({3})),
          leaf(Tensor::ones({})),
          empty({0}),
          empty({0, kHuge}),
          empty({kHuge, 0}),
          empty({2, 0, kHuge / 4}),
          empty({kHuge / 2, 0, 1, 1}),
          empty({0, kHuge / 8, 2, 2}),
          empty({1, 0, kHuge / 2, 1}),
          leaf(Tensor::empty({0, 1, 1}).expand({0, kHuge, kHuge})),
          leaf(Tensor::empty({0, 1, 1}).expand({0, kHuge, kHuge}).transpose(0, 2))};
}

Tensor index(const std::vector<std::int64_t>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

struct Operation {
  std::string name;
  std::function<Variables(const Variable& x, std::int64_t n)> run;
};

template <class F>
Operation one(std::string name, F f) {
  return {std::move(name),
          [f](const Variable& x, std::int64_t n) -> Variables { return {f(x, n)}; }};
}

// Each takes a number somewhere, or nothing but a shape.
const std::vector<Operation>& operations() {
  using V = const Variable&;
  using N = std::int64_t;
  static const std::vector<Operation> table = {
      one("reshape", [](V x, N n) { return reshape(x, {n}); }),
      one("reshape -1",
          [](V x, N n) {
            return reshape(x, {-1, n});
          }),
      one("reshape twice",
          [](V x, N n) {
            return reshape(x, {n, n});
          }),
      one("reshape 0",
          [](V x, N n) {
            return reshape(x, {0, n, n});
          }),
      one("view",
          [](V x, N n) {
            return view(x, {n, -1});
          }),
      one("permute",
          [](V x, N n) {
            return permute(x, {n, 0});
          }),
      one("permute last",
          [](V x, N n) {
            return permute(x, {0, n});
          }),
      one("transpose", [](V x, N n) { return transpose(x, 0, n); }),
      one("transpose first", [](V x, N n) { return transpose(x, n, -1); }),
      one("narrow dim", [](V x, N n) { return narrow(x, n, 0, 1); }),
      one("narrow start", [](V x, N n) { return narrow(x, 0, n, 1); }),
      one("narrow length", [](V x, N n) { return narrow(x, 0, 0, n); }),
      one("narrow step", [](V x, N n) { return narrow(x, -1, 0, 2, n); }),
      one("narrow all", [](V x, N n) { return narrow(x, 0, n, n, n); }),
      one("slice dim", [](V x, N n) { return slice(x, n, 0, 1); }),
      one("slice start", [](V x, N n) { return slice(x, 0, n, 3); }),
      one("slice end", [](V x, N n) { return slice(x, 0, 0, n); }),
      one("slice step", [](V x, N n) { return slice(x, -1, 0, INT64_MAX, n); }),
      one("slice all", [](V x, N n) { return slice(x, 0, n, n, n); }),
      one("select dim", [](V x, N n) { return select(x, n, 0); }),
      one("select", [](V x, N n) { return select(x, 0, n); }),
      one("expand",
          [](V x, N n) {
            return expand(x, {n, 3, 4});
          }),
      one("expand twice",
          [](V x, N n) {
            return expand(x, {n, n});
          }),
      one("expand 0",
          [](V x, N n) {
            return expand(x, {0, n, n, n});
          }),
      one("unsqueeze", [](V x, N n) { return unsqueeze(x, n); }),
      one("squeeze", [](V x, N n) { return squeeze(x, n); }),
      one("cat",
          [](V x, N n) {
            return cat({x, x, x}, n);
          }),
      one("stack",
          [](V x, N n) {
            return stack({x, x}, n);
          }),
      {"split", [](V x, N n) { return split(x, n); }},
      {"split dim", [](V x, N n) { return split(x, 1, n); }},
      one("index_select dim", [](V x, N n) { return index_select(x, n, index({0})); }),
      one("index_select", [](V x, N n) { return index_select(x, 0, index({n})); }),
      one("gather dim", [](V x, N n) { return gather(x, n, index({0})); }),
      one("gather",
          [](V x, N n) {
            return gather(x, 0, index({0, n}));
          }),
      one("scatter_add dim", [](V x, N n) { return scatter_add(x, n, index({0}), x); }),
      one("scatter_add",
          [](V x, N n) {
            return scatter_add(x, 0, index({n, n, n}), x);
          }),
      one("embedding", [](V x, N n) { return embedding(x, index({n})); }),
      one("embedding of none",
          [](V x, N n) {
            return embedding(x, Tensor::empty({0, n}, Dtype::I64));
          }),
      one("sum", [](V x, N n) { return sum(x, {n}); }),
      one("sum all", [](V x, N) { return sum(x); }),
      one("mean", [](V x, N n) { return mean(x, {n}, true); }),
      one("var", [](V x, N n) { return var(x, {n}); }),
      one("amax",
          [](V x, N n) {
            return amax(x, {n, 0});
          }),
      one("amin",
          [](V x, N n) {
            return amin(x, {0, n});
          }),
      one("logsumexp", [](V x, N n) { return logsumexp(x, {n}); }),
      one("sum_to", [](V x, N n) { return sum_to(x, {n}); }),
      one("softmax", [](V x, N n) { return softmax(x, n); }),
      one("log_softmax", [](V x, N n) { return log_softmax(x, n); }),
      one("exp", [](V x, N) { return exp(x); }),
      one("gelu", [](V x, N) { return gelu(x); }),
      one("relu", [](V x, N) { return relu(x); }),
      one("add", [](V x, N) { return x + x; }),
      one("div", [](V x, N) { return x / x; }),
      one("pow", [](V x, N) { return pow(x, x); }),
      one("maximum", [](V x, N) { return maximum(x, x); }),
      one("matmul", [](V x, N) { return matmul(x, transpose(x, -1, -2)); }),
      one("matmul first", [](V x, N) { return matmul(transpose(x, -1, -2), x); }),
      one("linear", [](V x, N) { return linear(x, x); }),
      one("linear out",
          [](V x, N n) {
            return linear(x, Variable(Tensor::empty({n, 0}), true));
          }),
      one("dropout", [](V x, N) { return dropout(x, 0.5); }),
      one("swiglu", [](V x, N) { return swiglu(x, x); }),
      one("rms_norm",
          [](V x, N n) { return rms_norm(x, Variable(Tensor::empty({n}), true), 1e-5); }),
      one("layer_norm", [](V x, N) { return layer_norm(x, {}, {}, 1e-5); }),
      one("attention", [](V x, N) { return scaled_dot_product_attention(x, x, x); }),
      one("attention first_key",
          [](V x, N n) {
            return scaled_dot_product_attention(x, x, x, {.first_key = index({n, n}).unsqueeze(0)});
          }),
      one("rotary_embedding",
          [](V x, N n) {
            const Tensor table = Tensor::ones({4, 2});
            return rotary_embedding(x, table, table, index({n, 0}).unsqueeze(0));
          }),
      one("mse_loss", [](V x, N) { return mse_loss(x, x); }),
      one("kl_div", [](V x, N) { return kl_div(x, x, LossReduction::batchmean); }),
      one("cross_entropy",
          [](V x, N n) {
            return cross_entropy(x, index({n, 0, 1}));
          }),
      one("cross_entropy of none", [](V x, N n) { return cross_entropy(x, index({}), n); }),
      one("cross_entropy ignoring",
          [](V x, N n) {
            return cross_entropy(x, index({n, 0, n}), n);
          }),
      one("distillation_loss sequences",
          [](V x, N n) {
            return distillation_loss(x, x.value(), index({0, 0, 0}),
                                     {.reduction = LossReduction::batchmean, .sequences = n})
                .loss;
          }),
      one("distillation_loss vocabulary",
          [](V x, N n) {
            return distillation_loss(x, x.value(), index({0, 0, 0}), {.vocabulary = n}).loss;
          }),
      one("linear_cross_entropy",
          [](V x, N n) {
            return linear_cross_entropy(x, x, index({n, 0, 1}), n);
          }),
      one("linear_cross_entropy of none",
          [](V x, N n) { return linear_cross_entropy(x, x, index({}), n); }),
  };
  return table;
}

TEST(ExtremeSizes, EveryOperationThrowsAnErrorOrGivesAResult) {
  int results = 0, errors = 0;
  for (const Operation& operation : operations()) {
    for (const Variable& x : small_leaves()) {
      for (const std::int64_t n : kNumbers) {
        SCOPED_TRACE(operation.name + " of " + x.describe() + " with " + std::to_string(n));
        try {
          for (const Variable& y : operation.run(x, n)) {
            if (y.numel() > 1000) continue;  // expanded
            if (y.requires_grad()) y.backward(Variable(Tensor::ones(y.shape())), true);
            ++results;
          }
        } catch (const Error& error) {
          EXPECT_NE(std::string(error.what()), "");
          ++errors;
        } catch (const std::exception& other) {
          ADD_FAILURE() << "not a gladius::Error: " << other.what();
        }
      }
    }
  }
  EXPECT_GT(results, 1000);
  EXPECT_GT(errors, 1000);
}

TEST(ExtremeSizes, OfNothingAreNothing) {
  const Variable x(Tensor::empty({0, 1, 1}).expand({0, kHuge, kHuge}), true);
  EXPECT_EQ(sum(x).item(), 0);
  const Variable wide(Tensor::empty({kHuge, 0}), true);
  EXPECT_EQ(softmax(wide, 1).shape(), wide.shape());
  EXPECT_EQ(matmul(wide, Variable(Tensor::empty({0, 0}))).shape(), wide.shape());
  EXPECT_THAT(message_of<ShapeError>([&] { split(wide, 1); }),
              HasSubstr("split: F32 [4611686018427387904, 0] along dimension 0 into "
                        "4611686018427387904 pieces"));
  const Variable q(Tensor::empty({kHuge / 2, 0, 1, 1}), true);
  EXPECT_EQ(scaled_dot_product_attention(q, q, q).shape(), q.shape());
}

TEST(ExtremeSizes, AnyIndexCanBeIgnored) {
  const Variable logits(Tensor::from<double>({1, 2, 3, 4, 5, 7}, {2, 3}), true);
  const auto curvature = [&](std::int64_t ignored) {
    const Variable loss = cross_entropy(logits, index({1, ignored}), ignored);
    const Variable slope = grad({loss}, {logits}, {}, false, true)[0];
    return grad({sum(slope * slope)}, {logits})[0].value().to_vector<double>();
  };
  EXPECT_EQ(curvature(INT64_MAX), curvature(-100));
  EXPECT_EQ(curvature((std::int64_t{1} << 60) + 1), curvature(-100));
}

}  // namespace
}  // namespace gladius
