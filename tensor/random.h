// Counter-based random numbers: the same for any number of threads.
#pragma once

#include <array>
#include <cstdint>

#include "gladius/tensor/tensor.h"

namespace gladius {

/// The Philox4x32-10 block function (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
/// 3"): 128 random bits of a counter and a key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// A sequence of random numbers. Each is a function of the seed, its position in the sequence and
/// its distribution. Drawing changes it: one thread at a time.
class Generator {
 public:
  /// Everything there is to save.
  struct State {
    std::uint64_t seed = 0;
    std::uint64_t offset = 0;  // the next position
    bool operator==(const State&) const = default;
  };

  explicit Generator(std::uint64_t seed = 0) : state_{seed, 0} {}
  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }
  /// Starts over with another seed.
  void manual_seed(std::uint64_t seed) { state_ = {seed, 0}; }

  /// Uniform in [0, 1), a multiple of 2^-32.
  double uniform();
  /// Of the standard normal distribution (Box & Muller), at most 6.7 from 0.
  double normal();
  /// Uniform in [lo, hi); throws Error if that is empty.
  std::int64_t randint(std::int64_t lo, std::int64_t hi);
  /// Moves past n positions and returns the first of them.
  std::uint64_t advance(std::uint64_t n);

 private:
  State state_;
};

/// The generator used where none is given.
Generator& default_generator();

// Fill a floating-point tensor in row-major order, on several threads, with what as many calls of
// the generator would give; advance it by the number of elements. Throw DtypeError for other
// tensors, Error for lo > hi or a negative std, and Error on read-only storage.

/// lo + (hi - lo) * uniform(), rounded to the tensor's type.
void fill_uniform_(const Tensor& tensor, Generator& generator, double lo = 0, double hi = 1);
/// mean + std * normal(), rounded to the tensor's type.
void fill_normal_(const Tensor& tensor, Generator& generator, double mean = 0, double std = 1);
/// `value` with the given probability, else 0; Error for a probability outside of [0, 1].
void fill_bernoulli_(const Tensor& tensor, Generator& generator, double probability,
                     double value = 1);

/// New tensors of a floating-point type: uniform in [0, 1), or of the standard normal distribution.
Tensor rand(const Shape& shape, Generator& generator = default_generator(),
            Dtype dtype = Dtype::F32);
Tensor randn(const Shape& shape, Generator& generator = default_generator(),
             Dtype dtype = Dtype::F32);

/// Indices drawn in proportion to the weights of each row: floating-point [..., n] -> I64
/// [..., num_samples]. With replacement by inverting the cumulative distribution, whose steps are
/// 2^-32 of the row's sum; without by the exponential race (the smallest of Exp(1) / weight;
/// Efraimidis & Spirakis 2006), in the order of drawing. Error for a weight that is negative or not
/// finite and for a row whose weights are all 0, ShapeError for a scalar, no samples, or, without
/// replacement, more samples than a row has weights above 0.
Tensor multinomial(const Tensor& weights, std::int64_t num_samples, bool replacement = false,
                   Generator& generator = default_generator());

}  // namespace gladius
