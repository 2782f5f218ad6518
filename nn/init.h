// Fresh values for parameters, as torch.nn.init.
#pragma once

#include "gladius/autograd/variable.h"
#include "gladius/tensor/random.h"

namespace gladius::nn::init {

/// The size that keeps its variance: of what enters the layer, or of the gradients that leave it.
enum class Fan { kIn, kOut };

// Each gives a leaf new values of its shape and type; it requires a gradient afterwards if it did
// before, and has none. GraphError for the result of an operation. Random values are drawn in
// row-major order.

void constant_(Variable parameter, double value);
void zeros_(Variable parameter);
void ones_(Variable parameter);
/// Uniform in [a, b).
void uniform_(Variable parameter, double a = 0, double b = 1,
              Generator& generator = default_generator());
void normal_(Variable parameter, double mean = 0, double std = 1,
             Generator& generator = default_generator());
/// Normal, drawn again until it lies in [a, b]; ConfigError if that interval is empty or further
/// than four deviations from the mean.
void trunc_normal_(Variable parameter, double mean = 0, double std = 1, double a = -2, double b = 2,
                   Generator& generator = default_generator());

// For weights [out, in, ...] (ShapeError for fewer dimensions), whose fans are in and out times the
// sizes that follow.

/// Glorot & Bengio 2010: variance gain^2 * 2 / (fan in + fan out).
void xavier_uniform_(Variable weight, double gain = 1, Generator& generator = default_generator());
void xavier_normal_(Variable weight, double gain = 1, Generator& generator = default_generator());
/// He et al. 2015 (arXiv:1502.01852): variance 2 / ((1 + a^2) fan), for a leaky ReLU of slope `a`.
void kaiming_uniform_(Variable weight, double a = 0, Fan fan = Fan::kIn,
                      Generator& generator = default_generator());
void kaiming_normal_(Variable weight, double a = 0, Fan fan = Fan::kIn,
                     Generator& generator = default_generator());

}  // namespace gladius::nn::init
