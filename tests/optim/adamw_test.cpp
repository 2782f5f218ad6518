#include "gladius/optim/adamw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/optim/clip_grad.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

// torch.optim.AdamW's update of one number, which counts its own steps.
struct Reference {
  long double value, m = 0, v = 0;
  int steps = 0;

  void step(long double grad, long double lr, const AdamWOptions& o) {
    ++steps;
    value *= 1 - lr * o.weight_decay;
    m = o.beta1 * m + (1 - o.beta1) * grad;
    v = o.beta2 * v + (1 - o.beta2) * grad * grad;
    const long double m_hat = m / (1 - std::pow(static_cast<long double>(o.beta1), steps));
    const long double v_hat = v / (1 - std::pow(static_cast<long double>(o.beta2), steps));
    value -= lr * m_hat / (std::sqrt(v_hat) + o.eps);
  }
};

Variable parameter(const Tensor& value) { return Variable(value.clone(), true); }

TEST(AdamW, ParametersOfAnyStridesAreUpdatedWhereTheyAre) {
  Tensor table = Tensor::zeros({3, 4}, Dtype::F64);
  const Tensor column = table.narrow(1, 1, 2);  // its rows do not lie one after another
  Variable part(column, true), whole(Tensor::zeros({3, 2}, Dtype::F64), true);
  for (Variable* variable : {&part, &whole}) {
    const Tensor gradient = Tensor::arange(6, Dtype::F64).reshape({3, 2});
    variable->set_grad(gradient);
    AdamW({{"p", *variable}}, {.lr = 0.5}).step();
  }
  EXPECT_EQ(part.value().to_vector<double>(), whole.value().to_vector<double>());
  EXPECT_EQ(table.narrow(1, 0, 1).to_vector<double>(), std::vector<double>(3));
  EXPECT_EQ(table.narrow(1, 3, 1).to_vector<double>(), std::vector<double>(3));
}

TEST(AdamW, StatesOfAllParametersCanBeReplaced) {
  Variable x = parameter(Tensor::ones({2, 3})), y = parameter(Tensor::ones({4}));
  AdamW optimizer({{"x", x}, {"y", y}}), other({{"x", x}, {"y", y}});
  for (const Variable& each : {x, y}) Variable(each).set_grad(Tensor::ones(each.shape()));
  for (int i = 0; i < 3; ++i) optimizer.step();
  const auto from = optimizer.states(), to = other.states();
  ASSERT_EQ(to.size(), 2u);
  EXPECT_TRUE(other.state_dict().empty());  // of none there was an update
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_EQ(to[i].get().tensors.size(), 2u);
    to[i].get().steps = from[i].get().steps;
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(to[i].get().tensors[k].to_vector<double>(),
                std::vector<double>(static_cast<std::size_t>(i == 0 ? 6 : 4)));
      to[i].get().tensors[k].copy_(from[i].get().tensors[k]);
    }
  }
  const NamedTensors wanted = optimizer.state_dict(), state = other.state_dict();
  ASSERT_EQ(state.size(), wanted.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(state[i].first, wanted[i].first);
    EXPECT_EQ(state[i].second.to_vector<double>(), wanted[i].second.to_vector<double>());
  }
}

TEST(AdamW, WhatDoesNotFitAParameterIsNamed) {
  Variable x = parameter(Tensor::ones({2, 3}));
  AdamW optimizer({{"layer.weight", x}});
  for (const Tensor& wrong :
       {Tensor::ones({7}), Tensor::ones({2, 3}, Dtype::F64), Tensor::ones({2})}) {
    EXPECT_THROW(x.set_grad(wrong), ShapeError);
    x.node()->grad = wrong;  // as an operation of its own might
    EXPECT_THAT(message_of<ShapeError>([&] { optimizer.step(); }),
                HasSubstr("the gradient of parameter \"layer.weight\", F32 [2, 3], is " +
                          wrong.describe()));
    EXPECT_THROW(clip_grad_norm({x}, 1), ShapeError);
  }
  x.set_grad(Tensor::ones({2, 3}));
  optimizer.step();
  x.set_value(Tensor::ones({2, 3}, Dtype::F64));  // the running means are F32
  x.set_grad(Tensor::ones({2, 3}, Dtype::F64));
  EXPECT_THAT(message_of<ShapeError>([&] { optimizer.step(); }),
              HasSubstr("the exp_avg of parameter \"layer.weight\", F64 [2, 3], is F32"));
}

TEST(AdamW, AnErrorLeavesNoStepHalfDone) {
  Variable good = parameter(Tensor::ones({2})), shared(Tensor::ones({2, 1}).expand({2, 3}), true);
  AdamW optimizer({{"good", good}, {"shared", shared}});
  good.set_grad(Tensor::ones({2}));
  shared.set_grad(Tensor::ones({}).expand({2, 3}));  // a gradient of any strides
  EXPECT_THAT(message_of<Error>([&] { optimizer.step(); }),
              HasSubstr("adamw: parameter \"shared\": F32 [2, 3] is expanded along dimension 1"));
  EXPECT_THAT(good.value().to_vector<float>(), ::testing::Each(1));
  EXPECT_TRUE(optimizer.state_dict().empty());
  shared.set_value(Tensor::ones({2, 3}));
  shared.set_grad(Tensor::ones({}).expand({2, 3}));
  EXPECT_NEAR(clip_grad_norm({shared}, 1).norm, std::sqrt(6), 1e-6);
  optimizer.step();
  EXPECT_EQ(good.value().to_vector<float>()[0], shared.value().to_vector<float>()[5]);
}

TEST(AdamW, AParameterWithoutValuesIsNamed) {
  Variable x(Tensor::zeros({}).expand({2, 3}), true);
  x.set_grad(Tensor::ones({2, 3}));
  EXPECT_THAT(message_of<Error>([&] {
                AdamW({{"layer.weight", x}}).step();
              }),
              HasSubstr("parameter \"layer.weight\" F32 [2, 3] has no values yet; "
                        "reset_parameters()"));
}

TEST(AdamW, ManyStepsFollowTheFormula) {
  const AdamWOptions options{
      .lr = 0.01, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1};
  for (const Dtype dtype : {Dtype::F64, Dtype::F32}) {
    Rng rng(1);
    std::vector<Variable> parameters{parameter(random_tensor(rng, {3, 5}, -1, 1, dtype)),
                                     parameter(random_tensor(rng, {7}, -1, 1, dtype)),
                                     parameter(random_tensor(rng, {0}, -1, 1, dtype))};
    std::vector<std::vector<Reference>> expected;
    for (const Variable& p : parameters) {
      expected.emplace_back();
      for (const double value : p.value().to_vector<double>()) expected.back().push_back({value});
    }
    AdamW adamw({{"a", parameters[0]}, {"b", parameters[1]}, {"c", parameters[2]}}, options);
    for (int step = 0; step < 100; ++step) {
      const double lr = 0.01 / (1 + step), scale = step % 3 == 0 ? 0.25 : 1;
      adamw.set_lr_factor(lr / options.lr);
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        parameters[i].zero_grad();
        if (random_int(rng, 0, 2) == 0) continue;  // no gradient in this step
        const Tensor grad = random_view(rng, parameters[i].shape(), -1, 1, dtype);
        parameters[i].set_grad(grad);
        const std::vector<double> g = grad.to_vector<double>();
        for (std::size_t e = 0; e < g.size(); ++e) expected[i][e].step(g[e] * scale, lr, options);
      }
      adamw.step(scale);
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::vector<double> values = parameters[i].value().to_vector<double>();
      for (std::size_t e = 0; e < values.size(); ++e) {
        EXPECT_NEAR(values[e], static_cast<double>(expected[i][e].value),
                    dtype == Dtype::F64 ? 1e-13 : 2e-6);
      }
    }
  }
}

// From torch 2.13: a and b with lr 0.1, weight_decay 0.1 (foreach=False); in step t of 4,
// a.grad = [0.5 t + 0.1, -1], b.grad = [1 - t] for odd t and None for even t. torch's state then
// says that a has had 4 steps and b 2.
TEST(AdamW, CountsTheStepsOfEachParameterAsTorch) {
  Variable a = parameter(Tensor::from<double>({1, -2}, {2}));
  Variable b = parameter(Tensor::from<double>({3}, {1}));
  AdamW adamw({{"a", a}, {"b", b}}, {.lr = 0.1, .weight_decay = 0.1});
  for (int t = 0; t < 4; ++t) {
    a.set_grad(Tensor::from<double>({0.5 * t + 0.1, -1}, {2}));
    b.zero_grad();
    if (t % 2) b.set_grad(Tensor::from<double>({1.0 - t}, {1}));
    adamw.step();
  }
  expect_near(a.value(), Tensor::from<double>({0.6042774895636045, -1.5271521239404}, {2}), 1e-14);
  expect_near(b.value(), Tensor::from<double>({3.0147136818306453}, {1}), 1e-14);
}

NamedTensors copy_of(const NamedTensors& state) {
  NamedTensors copy;
  for (const auto& [name, tensor] : state) copy.emplace_back(name, tensor.clone());
  return copy;
}

TEST(AdamW, GoesOnToTheBitFromASavedState) {
  Rng rng(2);
  Variable a = parameter(random_tensor(rng, {9}, -1, 1, Dtype::F32));
  Variable b = parameter(random_tensor(rng, {4}, -1, 1, Dtype::F32));
  Variable never = parameter(random_tensor(rng, {2}, -1, 1, Dtype::F32));
  AdamW first({{"a", a}, {"b", b}, {"never", never}});
  const auto step = [](AdamW& adamw, Variable x, Variable y, int t) {
    x.set_grad(Tensor::full({9}, 0.3 * t - 1));
    y.zero_grad();
    if (t % 2) y.set_grad(Tensor::full({4}, 1.0 / t));
    adamw.step();
  };
  for (int t = 1; t <= 4; ++t) step(first, a, b, t);
  const NamedTensors saved = copy_of(first.state_dict());
  std::vector<std::string> names;
  for (const auto& [name, tensor] : saved) names.push_back(name);
  EXPECT_THAT(names, ::testing::ElementsAre("a.step", "a.exp_avg", "a.exp_avg_sq", "b.step",
                                            "b.exp_avg", "b.exp_avg_sq"));
  EXPECT_EQ(saved[0].second.item(), 4);
  EXPECT_EQ(saved[3].second.item(), 2);

  Variable c = parameter(a.value()), d = parameter(b.value()), e = parameter(never.value());
  AdamW second({{"a", c}, {"b", d}, {"never", e}});
  second.load_state_dict(saved);
  for (int t = 5; t <= 9; ++t) {
    step(first, a, b, t);
    step(second, c, d, t);
  }
  EXPECT_EQ(a.value().to_vector<float>(), c.value().to_vector<float>());
  EXPECT_EQ(b.value().to_vector<float>(), d.value().to_vector<float>());
  EXPECT_EQ(saved[0].second.item(), 4) << "the loaded tensors are copied";
}

TEST(AdamW, LoadStateDictIsAllOrNothing) {
  Variable a = parameter(Tensor::ones({2})), b = parameter(Tensor::ones({3}));
  AdamW adamw({{"a", a}, {"b", b}});
  a.set_grad(Tensor::ones({2}));
  b.set_grad(Tensor::ones({3}));
  adamw.step();
  const NamedTensors good = copy_of(adamw.state_dict());
  const auto refused = [&](const std::function<void(NamedTensors&)>& change) {
    NamedTensors state = copy_of(good);
    for (auto& [name, tensor] : state) tensor.fill_(7);
    change(state);
    const std::string message = message_of<FormatError>([&] { adamw.load_state_dict(state); });
    EXPECT_EQ(adamw.state_dict()[0].second.item(), 1);
    EXPECT_EQ(adamw.state_dict()[1].second.to_vector<float>(), good[1].second.to_vector<float>());
    return message;
  };
  EXPECT_EQ(refused([](NamedTensors& state) { state.pop_back(); }),
            "adamw: state \"b.exp_avg_sq\" [3] is missing");
  EXPECT_EQ(refused([](NamedTensors& state) { state[4].second = Tensor::ones({2}); }),
            "adamw: state \"b.exp_avg\" is F32 [2], expected F32 [3]");
  EXPECT_THAT(refused([](NamedTensors& state) { state[4].second = Tensor::ones({3}, Dtype::F64); }),
              HasSubstr("is F64 [3], expected F32 [3]"));
  EXPECT_THAT(refused([](NamedTensors& state) { state[3].second = Tensor::ones({1}); }),
              HasSubstr("\"b.step\" is F32 [1], expected I64 [1]"));
  for (const std::int64_t steps : {std::int64_t{-1}, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(
        refused(
            [=](NamedTensors& state) { state[3].second = Tensor::from(std::vector{steps}, {1}); }),
        "adamw: state \"b.step\" is " + std::to_string(steps) + ", which is no number of steps");
  }
  EXPECT_THAT(refused([](NamedTensors& state) { state.emplace_back("c.step", Tensor::ones({1})); }),
              HasSubstr("\"c.step\" belongs to no parameter"));
}

TEST(AdamW, RefusesOptionsOutsideOfTheirRanges) {
  for (const AdamWOptions& options :
       {AdamWOptions{.lr = -1}, AdamWOptions{.beta1 = 1}, AdamWOptions{.beta2 = -0.1},
        AdamWOptions{.eps = std::nan("")}, AdamWOptions{.weight_decay = -1}}) {
    EXPECT_THAT(message_of<ConfigError>([&] { AdamW({}, options); }),
                HasSubstr("betas lie in [0, 1) and the others are not negative"));
  }
}

TEST(AdamW, RefusesGraphsOfValuesThatItHasUpdated) {
  Variable w = parameter(Tensor::ones({2}, Dtype::F64));
  AdamW adamw({{"w", w}});
  const Variable loss = sum(w * w);
  w.set_grad(Tensor::ones({2}, Dtype::F64));
  adamw.step();
  EXPECT_THAT(message_of<GraphError>([&] { loss.backward(); }), HasSubstr("modified in place"));
}

TEST(Optimizer, ForgetsGradients) {
  Variable w = parameter(Tensor::ones({2}));
  w.set_grad(Tensor::ones({2}));
  AdamW adamw({{"w", w}});
  adamw.zero_grad();
  EXPECT_FALSE(w.grad().defined());
  adamw.step();
  EXPECT_THAT(w.value().to_vector<float>(), ::testing::Each(1));
}

TEST(ClipGradNorm, IsTheNormOfAllGradients) {
  Rng rng(3);
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    std::vector<Variable> parameters;
    long double squares = 0;
    for (int i = 0; i < 4; ++i) {
      const Shape shape = round == 0 ? Shape{100'000} : random_shape(rng, random_int(rng, 0, 3), 0);
      parameters.push_back(parameter(Tensor::zeros(shape)));
      if (i == 2) continue;  // without a gradient
      parameters.back().set_grad(random_view(rng, shape, -2, 2, Dtype::F32));
      for (const double g : parameters.back().grad().to_vector<double>()) squares += g * g;
    }
    const auto norm = static_cast<double>(std::sqrt(squares));
    const double max_norm = round % 2 ? norm * 2 + 1 : norm / 3;
    const ClippedNorm clipped = clip_grad_norm(parameters, max_norm);
    EXPECT_NEAR(clipped.norm, norm, 1e-6 * norm);
    const std::vector<double> each = gradient_squares(parameters);
    ASSERT_EQ(each.size(), parameters.size());
    EXPECT_EQ(each[2], 0);
    EXPECT_EQ(clipped_norm(each, max_norm).norm, clipped.norm);
    EXPECT_EQ(clipped_norm(each, max_norm).scale, clipped.scale);
    EXPECT_NEAR(clipped.scale, std::min(1.0, max_norm / (norm + 1e-6)), 1e-6);
    const Tensor before = parameters[0].grad().clone();
    EXPECT_EQ(clip_grad_norm_(parameters, max_norm), clipped.norm);
    expect_near(parameters[0].grad(), (Variable(before) * clipped.scale).value(), 1e-6);
    EXPECT_FALSE(parameters[2].grad().defined());
  }
}

TEST(ClipGradNorm, LetsBrokenGradientsBeSeen) {
  Variable w = parameter(Tensor::ones({2}));
  w.set_grad(Tensor::from<float>({std::nanf(""), 1}, {2}));
  EXPECT_TRUE(std::isnan(clip_grad_norm({w}, 1).norm));
  EXPECT_TRUE(std::isnan(clip_grad_norm({w}, 1).scale)) << "as PyTorch's";
  w.set_grad(Tensor::full({2}, INFINITY));
  EXPECT_EQ(clip_grad_norm({w}, 1).scale, 0);
  EXPECT_EQ(clip_grad_norm({}, 1).norm, 0);
}

}  // namespace
}  // namespace gladius
