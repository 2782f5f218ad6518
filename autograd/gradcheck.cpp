#include "gladius/autograd/gradcheck.h"

#include <fmt/format.h>

#include <cmath>

#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/reduce.h"

namespace gladius {
namespace {

// Weights that differ from element to element, so that errors do not cancel in a sum.
Variable weights_like(const Variable& x) {
  const Tensor index = Tensor::arange(x.numel(), Dtype::F64).reshape(x.shape());
  std::vector<double> values;
  for (const double i : index.to_vector<double>())
    values.push_back(1 + 0.5 * std::sin(1.7 * i + 0.3));
  return Variable(Tensor::from(values, x.shape()));
}

// The function's result, weighted and summed.
Variable scalar_of(const Function& function, const std::vector<Variable>& inputs) {
  const Variable result = function(inputs);
  return sum(result * weights_like(result));
}

void check_dtypes(const std::vector<Variable>& inputs) {
  for (const Variable& input : inputs) {
    if (input.dtype() != Dtype::F64) {
      throw DtypeError(fmt::format("gradcheck: input {} is not F64; differences need its precision",
                                   input.value().describe()));
    }
  }
}

double difference(const Function& function, const std::vector<Variable>& inputs, double& element,
                  double step) {
  const NoGrad no_grad;
  const double original = element;
  element = original + step;
  const double above = scalar_of(function, inputs).item();
  element = original - step;
  const double below = scalar_of(function, inputs).item();
  element = original;
  return (above - below) / (2 * step);
}

}  // namespace

void gradcheck(const Function& function, const std::vector<Variable>& inputs,
               const GradcheckOptions& options) {
  check_dtypes(inputs);
  // Dense copies: elements of expanded inputs share their memory and could not be moved one by one.
  std::vector<Variable> copies;
  std::vector<Variable> wanted;
  for (const Variable& input : inputs) {
    copies.emplace_back(input.value().clone(), input.requires_grad());
    if (input.requires_grad()) wanted.push_back(copies.back());
  }
  const std::vector<Variable> gradients = grad({scalar_of(function, copies)}, wanted);
  for (std::size_t i = 0, w = 0; i < copies.size(); ++i) {
    if (!copies[i].requires_grad()) continue;
    const Variable& analytic = gradients[w++];
    const std::vector<double> values =
        analytic.defined() ? analytic.value().to_vector<double>()
                           : std::vector<double>(static_cast<std::size_t>(copies[i].numel()));
    double* elements = copies[i].value().data<double>();
    for (std::size_t e = 0; e < values.size(); ++e) {
      const double expected = difference(function, copies, elements[e], options.step);
      const double allowed = options.atol + options.rtol * std::abs(expected);
      if (!(std::abs(values[e] - expected) <= allowed)) {
        throw GraphError(
            fmt::format("gradcheck: input {} {}, element {}: gradient {:.9g}, difference {:.9g}", i,
                        copies[i].value().describe(), e, values[e], expected));
      }
    }
  }
}

void gradgradcheck(const Function& function, const std::vector<Variable>& inputs,
                   const GradcheckOptions& options) {
  gradcheck(
      [&](const std::vector<Variable>& copies) {
        // Under NoGrad (the differences) the first gradient still needs its graph.
        const EnableGrad enable;
        std::vector<Variable> wanted;
        Variable total(Tensor::scalar(0, Dtype::F64));
        for (const Variable& copy : copies) {
          if (!copy.requires_grad()) continue;
          wanted.push_back(copy);
          total = total + sum(copy) * 0.0;  // where the gradient is constant, a graph all the same
        }
        for (const Variable& first : grad({scalar_of(function, copies)}, wanted, {}, true, true)) {
          if (first.defined()) total = total + sum(first * weights_like(first));
        }
        return total;
      },
      inputs, options);
}

}  // namespace gladius
