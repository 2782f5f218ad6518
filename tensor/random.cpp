#include "gladius/tensor/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <vector>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/sort.h"
#include "gladius/tensor/strided.h"

namespace gladius {
namespace {

using Words = std::array<std::uint32_t, 4>;
using Values = std::array<double, 4>;

// One round without the key schedule.
Words philox_round(const Words& x, const std::array<std::uint32_t, 2>& key) {
  const std::uint64_t a = std::uint64_t{0xD2511F53u} * x[0];
  const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * x[2];
  return {static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ key[0], static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ key[1], static_cast<std::uint32_t>(a)};
}

// The distributions draw from separate streams: a normal number and a uniform one of neighbouring
// positions must not be made of the same words.
enum Stream : std::uint32_t { uniform_stream, normal_stream, integer_stream };

Words block(std::uint64_t seed, Stream stream, std::uint64_t index) {
  return philox4x32(
      {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), stream, 0},
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

// A distribution: its stream, and the four values made of a block of it.
struct Uniform {
  static constexpr Stream stream = uniform_stream;
  static Values values(const Words& words) {
    return {words[0] * 0x1p-32, words[1] * 0x1p-32, words[2] * 0x1p-32, words[3] * 0x1p-32};
  }
};
struct Normal {
  static constexpr Stream stream = normal_stream;
  static Values values(const Words& words) {
    Values result;
    for (std::size_t i = 0; i < 4; i += 2) {
      const double radius = std::sqrt(-2 * std::log((words[i] + 1.0) * 0x1p-32));
      const double angle = 2 * std::numbers::pi * (words[i + 1] * 0x1p-32);
      result[i] = radius * std::cos(angle);
      result[i + 1] = radius * std::sin(angle);
    }
    return result;
  }
};

// The values of a distribution by position; neighbours share a block.
template <class Distribution>
class Sequence {
 public:
  explicit Sequence(std::uint64_t seed) : seed_(seed) {}
  double at(std::uint64_t position) {
    if (!filled_ || position / 4 != index_) {
      index_ = position / 4;
      values_ = Distribution::values(block(seed_, Distribution::stream, index_));
      filled_ = true;
    }
    return values_[position % 4];
  }

 private:
  std::uint64_t seed_;
  std::uint64_t index_ = 0;
  Values values_{};
  bool filled_ = false;
};

// Fills with what `map` makes of the distribution's values.
template <class Distribution, class Map>
void fill(const char* op, Tensor tensor, Generator& generator, Map map) {
  if (!is_floating_point(tensor.dtype())) {
    throw DtypeError(
        fmt::format("{}: expected a floating-point tensor, got {}", op, tensor.describe()));
  }
  tensor.mark_written(op);
  const std::uint64_t seed = generator.state().seed;
  const std::uint64_t first = generator.advance(static_cast<std::uint64_t>(tensor.numel()));
  const StridedLoop<1> loop(tensor.shape(), {&tensor.strides()});
  dispatch(tensor.dtype(), [&]<class T>(T) {
    T* data = tensor.data<T>();
    parallel_for(tensor.numel(), 1 << 13, [&](std::int64_t begin, std::int64_t end) {
      Sequence<Distribution> sequence(seed);
      std::uint64_t position = first + static_cast<std::uint64_t>(begin);
      loop.rows(begin, end, [&](const auto& offsets, std::int64_t n) {
        T* element = data + offsets[0];
        for (std::int64_t i = 0; i < n; ++i, element += loop.inner[0]) {
          *element = convert_element<T>(map(sequence.at(position++)));
        }
      });
    });
  });
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    counter = philox_round(counter, key);
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

double Generator::uniform() { return Sequence<Uniform>(state_.seed).at(advance(1)); }

double Generator::normal() { return Sequence<Normal>(state_.seed).at(advance(1)); }

std::int64_t Generator::randint(std::int64_t lo, std::int64_t hi) {
  if (lo >= hi) {
    throw Error(fmt::format("randint: expected lo < hi, got lo {} and hi {}", lo, hi));
  }
  const std::uint64_t range = static_cast<std::uint64_t>(hi) - static_cast<std::uint64_t>(lo);
  const std::uint64_t excess = (0 - range) % range;  // 2^64 mod range: drawn once too often
  for (;;) {
    const Words words = block(state_.seed, integer_stream, advance(1));
    const std::uint64_t value = std::uint64_t{words[1]} << 32 | words[0];
    if (value >= excess) {
      return static_cast<std::int64_t>(static_cast<std::uint64_t>(lo) + value % range);
    }
  }
}

std::uint64_t Generator::advance(std::uint64_t n) {
  const std::uint64_t first = state_.offset;
  state_.offset += n;
  return first;
}

Generator& default_generator() {
  static Generator generator;
  return generator;
}

void fill_uniform_(const Tensor& tensor, Generator& generator, double lo, double hi) {
  if (!(lo <= hi)) {
    throw Error(fmt::format("fill_uniform_: expected lo <= hi, got lo {} and hi {}", lo, hi));
  }
  fill<Uniform>("fill_uniform_", tensor, generator, [=](double u) { return lo + (hi - lo) * u; });
}

void fill_normal_(const Tensor& tensor, Generator& generator, double mean, double std) {
  if (!(std >= 0)) throw Error(fmt::format("fill_normal_: expected std >= 0, got {}", std));
  fill<Normal>("fill_normal_", tensor, generator, [=](double z) { return mean + std * z; });
}

void fill_bernoulli_(const Tensor& tensor, Generator& generator, double probability, double value) {
  if (!(0 <= probability && probability <= 1)) {
    throw Error(
        fmt::format("fill_bernoulli_: expected a probability in [0, 1], got {}", probability));
  }
  fill<Uniform>("fill_bernoulli_", tensor, generator,
                [=](double u) { return u < probability ? value : 0.0; });
}

Tensor rand(const Shape& shape, Generator& generator, Dtype dtype) {
  const Tensor result = Tensor::empty(shape, dtype);
  fill<Uniform>("rand", result, generator, std::identity());
  return result;
}

Tensor randn(const Shape& shape, Generator& generator, Dtype dtype) {
  const Tensor result = Tensor::empty(shape, dtype);
  fill<Normal>("randn", result, generator, std::identity());
  return result;
}

namespace {

void check_multinomial(const Tensor& weights, std::int64_t num_samples, bool replacement) {
  if (!is_floating_point(weights.dtype())) {
    throw DtypeError(
        fmt::format("multinomial: expected floating-point weights, got {}", weights.describe()));
  }
  if (weights.dim() == 0 || num_samples < 1) {
    throw ShapeError(
        fmt::format("multinomial: {} samples of weights {}; expected rows of weights "
                    "[..., n] and at least one sample",
                    num_samples, weights.describe()));
  }
  if (!replacement && num_samples > weights.size(-1)) {
    throw ShapeError(fmt::format("multinomial: {} samples without replacement of weights {}",
                                 num_samples, weights.describe()));
  }
}

// The row's sum; throws for weights that cannot be drawn from.
double checked_total(const Tensor& weights, const double* row, std::int64_t r,
                     std::int64_t num_samples, bool replacement) {
  double total = 0;
  std::int64_t positive = 0;
  for (std::int64_t i = 0; i < weights.size(-1); ++i) {
    if (!(row[i] >= 0) || std::isinf(row[i])) {
      throw Error(
          fmt::format("multinomial: weight {} of row {} of {} is {}; expected a finite "
                      "number, not negative",
                      i, r, weights.describe(), row[i]));
    }
    positive += row[i] > 0;
    total += row[i];
  }
  if (!(total > 0) || std::isinf(total)) {
    throw Error(fmt::format("multinomial: the weights of row {} of {} sum to {}", r,
                            weights.describe(), total));
  }
  if (!replacement && positive < num_samples) {
    throw ShapeError(
        fmt::format("multinomial: {} samples without replacement, but row {} of {} "
                    "has {} weights above 0",
                    num_samples, r, weights.describe(), positive));
  }
  return total;
}

// Inverts the cumulative distribution of a row at each of k uniform numbers.
void invert(const double* row, std::int64_t n, double total, const double* uniform, std::int64_t k,
            std::int64_t* out) {
  std::vector<double> cumulative(row, row + n);
  std::partial_sum(cumulative.begin(), cumulative.end(), cumulative.begin());
  for (std::int64_t i = 0; i < k; ++i) {
    // The first weight that reaches beyond the number: never one of 0.
    const auto found = std::ranges::upper_bound(cumulative, uniform[i] * total);
    out[i] = found - cumulative.begin();
  }
}

}  // namespace

Tensor multinomial(const Tensor& weights, std::int64_t num_samples, bool replacement,
                   Generator& generator) {
  check_multinomial(weights, num_samples, replacement);
  const Tensor dense = weights.to(Dtype::F64).contiguous();
  const double* rows = dense.data<double>();
  const std::int64_t n = weights.size(-1);
  Shape shape = weights.shape();
  shape.back() = replacement ? num_samples : n;
  const Tensor uniform = Tensor::empty(shape, Dtype::F64);
  const std::int64_t count = numel(shape) / shape.back();
  std::vector<double> totals;
  for (std::int64_t r = 0; r < count; ++r) {
    totals.push_back(checked_total(weights, rows + r * n, r, num_samples, replacement));
  }
  fill<Uniform>("multinomial", uniform, generator, std::identity());
  double* numbers = uniform.data<double>();
  if (!replacement) {
    // u moved off 0, so that every time is finite; a weight of 0 never arrives.
    for (std::int64_t i = 0; i < uniform.numel(); ++i) {
      numbers[i] = -std::log(numbers[i] + 0x1p-33) / rows[i];
    }
    return topk(uniform, num_samples, -1, /*largest=*/false).indices;
  }
  const Tensor samples = Tensor::empty(shape, Dtype::I64);
  parallel_for(
      count, (1 << 13) / std::max(n, num_samples) + 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
          invert(rows + r * n, n, totals[static_cast<std::size_t>(r)], numbers + r * num_samples,
                 num_samples, samples.data<std::int64_t>() + r * num_samples);
        }
      });
  return samples;
}

}  // namespace gladius
