#include "gladius/nn/init.h"

#include <fmt/format.h>

#include <cmath>

namespace gladius::nn::init {
namespace {

// Fills new memory: a parameter may have none yet, and old values may be a file's.
template <class Fill>
void set(Variable& parameter, Fill&& fill) {
  Tensor value = Tensor::empty(parameter.shape(), parameter.dtype());
  fill(value);
  parameter.set_value(std::move(value));
}

double fan(const Variable& weight, Fan which) {
  if (weight.dim() < 2) {
    throw ShapeError(fmt::format("init: {} has no fan in and fan out; expected [out, in, ...]",
                                 weight.describe()));
  }
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const double rest = out * in == 0 ? 1 : static_cast<double>(weight.numel() / (out * in));
  return static_cast<double>(which == Fan::kIn ? in : out) * rest;
}

double xavier_std(const Variable& weight, double gain) {
  return gain * std::sqrt(2 / (fan(weight, Fan::kIn) + fan(weight, Fan::kOut)));
}

double kaiming_std(const Variable& weight, double a, Fan which) {
  return std::sqrt(2 / ((1 + a * a) * fan(weight, which)));
}

// Uniform with mean 0 and the given deviation.
void spread_evenly(const Variable& weight, double std, Generator& generator) {
  const double bound = std::sqrt(3.0) * std;
  if (weight.numel() > 0) uniform_(weight, -bound, bound, generator);
}

}  // namespace

void constant_(Variable parameter, double value) {
  set(parameter, [=](Tensor& tensor) { tensor.fill_(value); });
}

void zeros_(Variable parameter) { constant_(std::move(parameter), 0); }
void ones_(Variable parameter) { constant_(std::move(parameter), 1); }

void uniform_(Variable parameter, double a, double b, Generator& generator) {
  set(parameter, [&](Tensor& tensor) { fill_uniform_(tensor, generator, a, b); });
}

void normal_(Variable parameter, double mean, double std, Generator& generator) {
  set(parameter, [&](Tensor& tensor) { fill_normal_(tensor, generator, mean, std); });
}

void trunc_normal_(Variable parameter, double mean, double std, double a, double b,
                   Generator& generator) {
  const double reach = 4 * std;
  if (!(a < b) || a > mean + reach || b < mean - reach) {
    throw ConfigError(fmt::format(
        "trunc_normal_: [{}, {}] holds next to nothing of a normal distribution of mean {} and "
        "standard deviation {}",
        a, b, mean, std));
  }
  Tensor values = Tensor::empty(parameter.shape(), Dtype::F64);
  double* value = values.data<double>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    do value[i] = mean + std * generator.normal();
    while (value[i] < a || value[i] > b);
  }
  set(parameter, [&](Tensor& tensor) { tensor.copy_(values); });
}

void xavier_uniform_(Variable weight, double gain, Generator& generator) {
  spread_evenly(weight, xavier_std(weight, gain), generator);
}

void xavier_normal_(Variable weight, double gain, Generator& generator) {
  normal_(weight, 0, xavier_std(weight, gain), generator);
}

void kaiming_uniform_(Variable weight, double a, Fan fan, Generator& generator) {
  spread_evenly(weight, kaiming_std(weight, a, fan), generator);
}

void kaiming_normal_(Variable weight, double a, Fan fan, Generator& generator) {
  normal_(weight, 0, kaiming_std(weight, a, fan), generator);
}

}  // namespace gladius::nn::init
