#include "gladius/optim/muon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::random_int;
using testing::random_tensor;
using testing::random_view;
using testing::Rng;

Variable weight(const Tensor& value) { return Variable(value, /*requires_grad=*/true); }

// The published update in double, by sums over indices.
using Matrix = std::vector<std::vector<double>>;

Matrix matrix_of(const Tensor& x) {
  const std::vector<double> values = x.to_vector<double>();
  Matrix rows(static_cast<std::size_t>(x.size(0)));
  const auto columns = static_cast<std::size_t>(x.size(1));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].assign(values.begin() + static_cast<std::ptrdiff_t>(i * columns),
                   values.begin() + static_cast<std::ptrdiff_t>((i + 1) * columns));
  }
  return rows;
}

Matrix transposed(const Matrix& x) {
  Matrix out(x[0].size(), std::vector<double>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < x[0].size(); ++j) out[j][i] = x[i][j];
  }
  return out;
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out(a.size(), std::vector<double>(b[0].size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t k = 0; k < b.size(); ++k) {
      for (std::size_t j = 0; j < b[0].size(); ++j) out[i][j] += a[i][k] * b[k][j];
    }
  }
  return out;
}

Matrix combined(double a, const Matrix& x, double b, const Matrix& y) {
  Matrix out = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < x[0].size(); ++j) out[i][j] = a * x[i][j] + b * y[i][j];
  }
  return out;
}

Matrix reference_zeropower(Matrix x) {
  if (x.size() > x[0].size()) return transposed(reference_zeropower(transposed(x)));
  double squares = 0;
  for (const auto& row : x) {
    for (const double value : row) squares += value * value;
  }
  x = combined(1 / std::max(std::sqrt(squares), 1e-7), x, 0, x);
  for (int step = 0; step < 5; ++step) {
    const Matrix gram = product(x, transposed(x));
    const Matrix cubic = product(gram, x), quintic = product(gram, cubic);
    x = combined(1, combined(3.4445, x, -4.7750, cubic), 2.0315, quintic);
  }
  return x;
}

struct MuonReference {
  Matrix value, momentum;
  void step(const Matrix& grad, double lr, const MuonOptions& o) {
    if (momentum.empty()) momentum = combined(0, grad, 0, grad);
    momentum = combined(o.momentum, momentum, 1 - o.momentum, grad);
    const Matrix update = reference_zeropower(combined(o.momentum, momentum, 1 - o.momentum, grad));
    const auto larger = static_cast<double>(std::max(value.size(), value[0].size()));
    value = combined(1 - lr * o.weight_decay, value, -lr * 0.2 * std::sqrt(larger), update);
  }
};

void expect_near(const Tensor& x, const Matrix& expected, double tolerance) {
  const Matrix values = matrix_of(x);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < values[0].size(); ++j) {
      ASSERT_NEAR(values[i][j], expected[i][j], tolerance) << i << ", " << j;
    }
  }
}

TEST(Muon, ManyStepsFollowThePublishedUpdate) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  for (const Dtype dtype : {Dtype::F64, Dtype::F32}) {
    for (int trial = 0; trial < 8; ++trial) {
      const MuonOptions options{.lr = 0.02,
                                .weight_decay = trial % 2 == 0 ? 0.1 : 0,
                                .momentum = trial % 3 == 0 ? 0.95 : 0.5};
      const Shape shape{random_int(rng, 1, 24), random_int(rng, 1, 24)};
      SCOPED_TRACE(to_string(shape));
      Variable w = weight(random_tensor(rng, shape, -1, 1, dtype));
      MuonReference expected{matrix_of(w.value()), {}};
      Muon muon({{{{"w", w}}, options}});
      for (int step = 0; step < 10; ++step) {
        const double factor = 1.0 / (1 + step), scale = step % 3 == 0 ? 0.25 : 1;
        const Tensor grad = random_view(rng, shape, -1, 1, dtype);
        w.set_grad(grad);
        Matrix scaled = matrix_of(grad);
        scaled = combined(scale, scaled, 0, scaled);
        expected.step(scaled, options.lr * factor, options);
        muon.set_lr_factor(factor);
        muon.step(scale);
      }
      // The steps raise small singular values, and the rounding in them, up to 480-fold.
      expect_near(w.value(), expected.value, dtype == Dtype::F64 ? 1e-10 : 2e-3);
    }
  }
}

TEST(Muon, AGradientOfZerosOnlyDecays) {
  Variable w = weight(Tensor::full({3, 5}, 2, Dtype::F64));
  w.set_grad(Tensor::zeros({3, 5}, Dtype::F64));
  Muon({{{{"w", w}}, {.lr = 0.5, .weight_decay = 0.5}}}).step();
  EXPECT_THAT(w.value().to_vector<double>(), ::testing::Each(1.5));
}

TEST(Muon, TakesMatricesAndLeavesTheRestToAdamW) {
  Rng rng(1);
  Variable w = weight(random_tensor(rng, {4, 6})), norm = weight(random_tensor(rng, {6}));
  Variable same_norm = weight(norm.value().clone());
  EXPECT_EQ(message_of<ShapeError>([&] {
              Muon({{{{"norm.weight", norm}}}});
            }),
            "muon: parameter \"norm.weight\" [6] is no matrix; AdamW updates what is none");
  Muon muon({{{{"w", w}}}}, {{{{"norm", norm}}, {.lr = 0.1}}});
  AdamW adamw({{"norm", same_norm}}, {.lr = 0.1});
  for (int step = 0; step < 3; ++step) {
    w.set_grad(random_tensor(rng, {4, 6}));
    norm.set_grad(random_tensor(rng, {6}));
    same_norm.set_grad(norm.grad());
    muon.step();
    adamw.step();
  }
  EXPECT_EQ(norm.value().to_vector<double>(), same_norm.value().to_vector<double>());
  std::vector<std::string> names;
  for (const auto& [name, tensor] : muon.state_dict()) names.push_back(name);
  EXPECT_THAT(names, ::testing::ElementsAre("w.step", "w.momentum_buffer", "norm.step",
                                            "norm.exp_avg", "norm.exp_avg_sq"));
  EXPECT_EQ(muon.steps(), 3);
  // One buffer of the matrix, two of the norm; three matrices and two squares of the smaller side.
  EXPECT_EQ(muon.state_bytes(), (24 + 2 * 6) * sizeof(double));
  EXPECT_EQ(muon.workspace_bytes(), (3 * 24 + 2 * 16) * sizeof(double));
}

TEST(Muon, GoesOnToTheBitFromASavedState) {
  Rng rng(2);
  Variable a = weight(random_tensor(rng, {5, 3})), b = weight(random_tensor(rng, {3}));
  const auto make = [](const Variable& x, const Variable& y) {
    return Muon({{{{"a", x}}}}, {{{{"b", y}}}});
  };
  Muon first = make(a, b);
  const auto step = [](Muon& muon, Variable x, Variable y, unsigned seed) {
    Rng again(seed);
    x.set_grad(random_tensor(again, {5, 3}));
    y.set_grad(random_tensor(again, {3}));
    muon.step();
  };
  for (unsigned t = 0; t < 3; ++t) step(first, a, b, t);
  Variable c = weight(a.value().clone()), d = weight(b.value().clone());
  Muon second = make(c, d);
  second.load_state_dict(first.state_dict());
  for (unsigned t = 3; t < 6; ++t) {
    step(first, a, b, t);
    step(second, c, d, t);
  }
  EXPECT_EQ(a.value().to_vector<double>(), c.value().to_vector<double>());
  EXPECT_EQ(b.value().to_vector<double>(), d.value().to_vector<double>());
}

TEST(Muon, RefusesOptionsOutsideOfTheirRanges) {
  for (const MuonOptions& options :
       {MuonOptions{.lr = -1}, MuonOptions{.momentum = 1}, MuonOptions{.momentum = std::nan("")},
        MuonOptions{.weight_decay = -1}}) {
    EXPECT_THAT(message_of<ConfigError>([&] { MuonRule rule(options); }),
                HasSubstr("momentum lies in [0, 1) and the others are not negative"));
  }
}

TEST(Optimizer, GroupsHaveOptionsOfTheirOwn) {
  Rng rng(3);
  const Tensor first = random_tensor(rng, {4}), second = random_tensor(rng, {4});
  const AdamWOptions decayed{.lr = 0.1, .weight_decay = 0.5}, plain{.lr = 0.2, .weight_decay = 0};
  Variable a = weight(first.clone()), b = weight(second.clone());
  Variable alone_a = weight(first.clone()), alone_b = weight(second.clone());
  AdamW grouped({AdamWGroup{{{"a", a}}, decayed}, AdamWGroup{{{"b", b}}, plain}});
  AdamW of_a({{"a", alone_a}}, decayed), of_b({{"b", alone_b}}, plain);
  for (int step = 0; step < 3; ++step) {
    a.set_grad(random_tensor(rng, {4}));
    b.set_grad(random_tensor(rng, {4}));
    alone_a.set_grad(a.grad());
    alone_b.set_grad(b.grad());
    for (Optimizer* optimizer : {static_cast<Optimizer*>(&grouped), static_cast<Optimizer*>(&of_a),
                                 static_cast<Optimizer*>(&of_b)}) {
      optimizer->set_lr_factor(1.0 / (1 + step));
      optimizer->step();
    }
  }
  EXPECT_EQ(a.value().to_vector<double>(), alone_a.value().to_vector<double>());
  EXPECT_EQ(b.value().to_vector<double>(), alone_b.value().to_vector<double>());
  EXPECT_EQ(message_of<ConfigError>([&] {
              AdamW({AdamWGroup{{{"a", a}}, decayed}, AdamWGroup{{{"a", b}}, plain}});
            }),
            "adamw: parameter \"a\" is there twice");
}

}  // namespace
}  // namespace gladius
