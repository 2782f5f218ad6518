#include "gladius/autograd/gradient_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

// Fixed pieces, summed in order: the figures do not depend on the number of threads.
constexpr std::int64_t kPiece = 1 << 16;

struct Sums {
  double squares = 0, sum = 0, largest = 0;
  std::int64_t zeros = 0, nans = 0;
};

template <class T>
Sums sums_of(const T* values, std::int64_t n) {
  Sums sums;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto value = static_cast<double>(values[i]);
    if (std::isnan(value)) {
      ++sums.nans;
      continue;
    }
    sums.squares += value * value;
    sums.sum += value;
    sums.largest = std::max(sums.largest, std::abs(value));
    sums.zeros += value == 0;
  }
  return sums;
}

template <class T>
Sums sums_of_pieces(const T* values, std::int64_t n) {
  std::vector<Sums> pieces(static_cast<std::size_t>((n + kPiece - 1) / kPiece));
  parallel_for(std::ssize(pieces), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t start = p * kPiece;
      pieces[static_cast<std::size_t>(p)] = sums_of(values + start, std::min(kPiece, n - start));
    }
  });
  Sums total;
  for (const Sums& piece : pieces) {
    total.squares += piece.squares;
    total.sum += piece.sum;
    total.largest = std::max(total.largest, piece.largest);
    total.zeros += piece.zeros;
    total.nans += piece.nans;
  }
  return total;
}

}  // namespace

GradientStatistics gradient_statistics(const Tensor& gradient) {
  const Tensor values =
      gradient.dtype() == Dtype::F64 ? gradient.contiguous() : gradient.to(Dtype::F32).contiguous();
  const std::int64_t n = values.numel();
  const Sums sums = dispatch_floating("gradient_statistics", values.dtype(), [&](auto zero) {
    return sums_of_pieces(values.data<decltype(zero)>(), n);
  });
  const auto share = [](double part, std::int64_t of) {
    return of > 0 ? part / static_cast<double>(of) : 0.0;
  };
  return {.norm = std::sqrt(sums.squares),
          .mean = share(sums.sum, n - sums.nans),
          .largest = sums.largest,
          .zeros = share(static_cast<double>(sums.zeros), n),
          .nans = sums.nans};
}

NamedGradientStatistics gradient_statistics(const NamedVariables& parameters) {
  NamedGradientStatistics statistics;
  for (const auto& [name, parameter] : parameters) {
    if (const Tensor gradient = parameter.grad(); gradient.defined())
      statistics.emplace_back(name, gradient_statistics(gradient));
  }
  return statistics;
}

std::string format_table(const NamedGradientStatistics& statistics) {
  std::size_t width = std::string("parameter").size();
  for (const auto& [name, s] : statistics) width = std::max(width, name.size());
  std::string table = fmt::format("{:<{}}  {:>10}  {:>11}  {:>10}  {:>7}  {:>5}\n", "parameter",
                                  width, "norm", "mean", "largest", "zeros", "NaN");
  for (const auto& [name, s] : statistics) {
    table += fmt::format("{:<{}}  {:>10.4e}  {:>11.4e}  {:>10.4e}  {:>6.2f}%  {:>5}\n", name, width,
                         s.norm, s.mean, s.largest, 100 * s.zeros, s.nans);
  }
  return table;
}

}  // namespace gladius
