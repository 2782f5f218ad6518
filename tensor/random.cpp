#include "gladius/tensor/random.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/parallel.h"
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

// Fills with shift + scale * value.
template <class Distribution>
void fill(const char* op, Tensor tensor, Generator& generator, double shift, double scale) {
  if (!is_floating_point(tensor.dtype())) {
    throw DtypeError(
        fmt::format("{}: expected a floating-point tensor, got {}", op, tensor.describe()));
  }
  tensor.mark_written();
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
          *element = convert_element<T>(shift + scale * sequence.at(position++));
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
  fill<Uniform>("fill_uniform_", tensor, generator, lo, hi - lo);
}

void fill_normal_(const Tensor& tensor, Generator& generator, double mean, double std) {
  if (!(std >= 0)) throw Error(fmt::format("fill_normal_: expected std >= 0, got {}", std));
  fill<Normal>("fill_normal_", tensor, generator, mean, std);
}

}  // namespace gladius
