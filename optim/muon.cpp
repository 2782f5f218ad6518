#include "gladius/optim/muon.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gladius/optim/clip_grad.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/kernels/gemm.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

constexpr std::int64_t kMomentumGrain = 1 << 15;
constexpr int kNewtonSchulzSteps = 5;
constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315, kEps = 1e-7;

void check(const MuonOptions& options) {
  if (!(options.lr >= 0) || !(options.weight_decay >= 0) ||
      !(options.momentum >= 0 && options.momentum < 1)) {
    throw ConfigError(
        fmt::format("muon: lr {}, weight_decay {}, momentum {}: momentum lies in [0, 1) and the "
                    "others are not negative",
                    options.lr, options.weight_decay, options.momentum));
  }
}

// buffer <- momentum buffer + (1 - momentum) g, and the same of the new buffer and g.
template <class T>
Tensor nesterov(const Tensor& buffer, const Tensor& grad, double momentum, double grad_scale) {
  const Tensor out = Tensor::empty(grad.shape(), grad.dtype());
  const auto m = static_cast<T>(momentum), rest = static_cast<T>(1 - momentum),
             scale = static_cast<T>(grad_scale);
  parallel_for(grad.numel(), kMomentumGrain, [&](std::int64_t begin, std::int64_t end) {
    const T* g = grad.data<T>();
    T *b = buffer.data<T>(), *u = out.data<T>();
    for (std::int64_t i = begin; i < end; ++i) {
      const T scaled = g[i] * scale;
      b[i] = m * b[i] + rest * scaled;
      u[i] = m * b[i] + rest * scaled;
    }
  });
  return out;
}

// One Newton-Schulz step of the wide x [m, n]: returns kA x + (kB G + kC G^2) x with G = x x^T.
template <class T>
Tensor newton_schulz(const Tensor& x) {
  const std::int64_t m = x.size(0), n = x.size(1);
  const Tensor gram = Tensor::empty({m, m}, x.dtype());
  kernels::gemm(m, m, n, x.data<T>(), n, x.data<T>(), n, gram.data<T>(), m, {.transpose_b = true});
  const Tensor factor = gram.clone();
  kernels::gemm(m, m, m, gram.data<T>(), m, gram.data<T>(), m, factor.data<T>(), m,
                {.alpha = kC, .beta = kB});
  const Tensor next = x.clone();
  kernels::gemm(m, n, m, factor.data<T>(), m, x.data<T>(), n, next.data<T>(), n, {.beta = kA});
  return next;
}

std::vector<ParameterGroup> with_rules(std::vector<MuonGroup> matrices,
                                       std::vector<AdamWGroup> rest) {
  std::vector<ParameterGroup> groups;
  for (MuonGroup& group : matrices) {
    groups.push_back({std::move(group.parameters), std::make_shared<MuonRule>(group.options)});
  }
  for (AdamWGroup& group : rest) {
    groups.push_back({std::move(group.parameters), std::make_shared<AdamWRule>(group.options)});
  }
  return groups;
}

}  // namespace

Tensor zeropower_via_newtonschulz(const Tensor& x) {
  if (x.dim() != 2) throw ShapeError("muon: expected a matrix, got " + x.describe());
  const bool tall = x.size(0) > x.size(1);
  Tensor wide = (tall ? x.transpose(0, 1) : x).contiguous();
  const double norm = std::sqrt(sum_of_squares(wide));
  wide = mul(wide, 1 / std::max(norm, kEps));
  dispatch_floating("muon", x.dtype(), [&](auto zero) {
    for (int i = 0; i < kNewtonSchulzSteps; ++i) wide = newton_schulz<decltype(zero)>(wide);
  });
  return tall ? wide.transpose(0, 1) : wide;
}

MuonRule::MuonRule(const MuonOptions& options) : options_(options) { check(options); }

void MuonRule::check_shape(const std::string& parameter, const Shape& shape) const {
  if (shape.size() == 2) return;
  throw ShapeError(fmt::format("muon: parameter {} {} is no matrix; AdamW updates what is none",
                               in_quotes(parameter), to_string(shape)));
}

// The update and the matrix before and after a Newton-Schulz step, with its two square ones.
std::int64_t MuonRule::workspace(const Shape& shape) const {
  const std::int64_t small = std::min(shape[0], shape[1]);
  return 3 * shape[0] * shape[1] + 2 * small * small;
}

void MuonRule::update(const Tensor& value, const Tensor& grad, const ParameterState& state,
                      double lr, double grad_scale) const {
  Tensor update;
  dispatch_floating("muon", value.dtype(), [&](auto zero) {
    update = nesterov<decltype(zero)>(state.tensors[0], grad, options_.momentum, grad_scale);
  });
  update = zeropower_via_newtonschulz(update);
  const auto larger = static_cast<double>(std::max(value.size(0), value.size(1)));
  Tensor target = value;
  mul_(target, 1 - lr * options_.weight_decay);
  add_(target, update, -lr * 0.2 * std::sqrt(larger));
}

Muon::Muon(std::vector<MuonGroup> matrices, std::vector<AdamWGroup> rest)
    : Optimizer(with_rules(std::move(matrices), std::move(rest))) {}

}  // namespace gladius
