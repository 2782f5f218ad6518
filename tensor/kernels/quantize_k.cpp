// The K types: 256 numbers a block in groups, each with a scale (and a minimum) of a few bits.
// There is no closed form for the best levels, scales and minima together, so that a group tries
// the levels of some scales around that of its range; for levels, the best scale and minimum are
// those of weighted least squares. (The format's own programs search alike; their blocks are not
// ours to the bit.)
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/quantize.h"

namespace gladius::kernels {
namespace {

constexpr int kElements = 256;
using Numbers = std::span<const float>;
using Levels = std::array<std::uint8_t, kElements>;

// Numbers far below what F16 has a scale for, whose inverse is no float.
constexpr float kLeast = 1e-30f;

int nearest(float value, int least, int most) {
  // Bounded before the cast: beyond an int it would be undefined.
  return static_cast<int>(
      std::nearbyint(std::clamp(value, static_cast<float>(least), static_cast<float>(most))));
}

// What x ~ scale * level - minimum leaves over the numbers of a group, weighted.
struct Fit {
  float scale = 0;
  float minimum = 0;  // never negative: it is stored without a sign
  double error = 0;
};

// The sums that weighted least squares for given levels is made of.
struct Moments {
  double w = 0, l = 0, ll = 0, x = 0, xl = 0, xx = 0;
  void add(double weight, double level, double number) {
    w += weight;
    l += weight * level;
    ll += weight * level * level;
    x += weight * number;
    xl += weight * number * level;
    xx += weight * number * number;
  }
  double error(double scale, double minimum) const {
    return scale * scale * ll + minimum * minimum * w + xx -
           2 * (scale * minimum * l + scale * xl - minimum * x);
  }
};

// The best scale and minimum for the levels.
Fit least_squares(const Moments& m) {
  const double determinant = m.w * m.ll - m.l * m.l;
  double scale = 0, minimum = -1;
  if (determinant > 1e-9 * m.w * m.ll) {  // else all levels are one, and nothing tells both apart
    scale = (m.w * m.xl - m.x * m.l) / determinant;
    minimum = (m.l * m.xl - m.ll * m.x) / determinant;
  }
  if (minimum < 0) scale = m.ll > 0 ? m.xl / m.ll : 0, minimum = 0;
  return {static_cast<float>(scale), static_cast<float>(minimum), m.error(scale, minimum)};
}

// Levels 0 .. highest of a group of numbers above its least: large numbers count more, as their
// products do.
Fit fit_affine(Numbers x, int highest) {
  constexpr int kTries = 21;
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  const double usual = std::sqrt(squares / static_cast<double>(x.size()));
  const auto [least, most] = std::ranges::minmax(x);
  const float low = std::min(least, 0.0f), range = most - low;
  if (!(range > kLeast)) return {.scale = 0, .minimum = -low};
  if (!std::isfinite(range)) return {.scale = range, .minimum = -low};
  Fit best;
  for (int i = 0; i < kTries; ++i) {
    // From one level less than the range has to one more.
    const float id = (static_cast<float>(highest) - 1 + 0.1f * static_cast<float>(i)) / range;
    Moments moments;
    for (const float value : x) {
      moments.add(usual + std::abs(value), nearest((value - low) * id, 0, highest), value);
    }
    const Fit fit = least_squares(moments);
    if (i == 0 || fit.error < best.error) best = fit;
  }
  return best;
}

// Levels -middle .. middle - 1 without a minimum; numbers count by their squares.
float fit_symmetric(Numbers x, int middle) {
  constexpr int kTries = 19;
  const float extreme = *std::ranges::max_element(x, {}, [](float v) { return std::abs(v); });
  if (std::abs(extreme) < kLeast) return 0;
  double best_gain = -1, best_scale = 0;
  for (int i = 0; i < kTries; ++i) {
    const float id = (static_cast<float>(-middle) + 0.1f * static_cast<float>(i - 9)) / extreme;
    double xl = 0, ll = 0;
    for (const float value : x) {
      const double level = nearest(value * id, -middle, middle - 1);
      const double weight = static_cast<double>(value) * value;
      xl += weight * value * level;
      ll += weight * level * level;
    }
    // The error of the best scale xl / ll is what the numbers have less xl^2 / ll.
    if (ll > 0 && xl * xl / ll > best_gain) best_gain = xl * xl / ll, best_scale = xl / ll;
  }
  return static_cast<float>(best_scale);
}

// A scale of scales, as it is stored.
float16 f16_of(float value) { return float16(value); }

bool finite(float16 value) { return std::isfinite(static_cast<float>(value)); }

float ratio(float value, float unit) { return unit == 0 ? 0.0f : value / unit; }

// Q4_K: eight groups of 32 numbers d s l - dmin m, s and m of six bits.
bool q4_k(const float* x, std::byte* block) {
  constexpr int kGroups = 8, kGroup = 32, kSix = 63;
  std::array<Fit, kGroups> fits;
  float most_scale = 0, most_minimum = 0;
  for (int g = 0; g < kGroups; ++g) {
    fits[g] = fit_affine({x + g * kGroup, kGroup}, 15);
    most_scale = std::max(most_scale, fits[g].scale);
    most_minimum = std::max(most_minimum, fits[g].minimum);
  }
  const float16 d = f16_of(most_scale / kSix), dmin = f16_of(most_minimum / kSix);
  if (!finite(d) || !finite(dmin)) return false;
  const auto unit = static_cast<float>(d), minimum_unit = static_cast<float>(dmin);
  std::array<std::uint8_t, 12> scales{};
  Levels levels;
  for (int g = 0; g < kGroups; ++g) {
    const int s = nearest(ratio(fits[g].scale, unit), 0, kSix);
    const int m = nearest(ratio(fits[g].minimum, minimum_unit), 0, kSix);
    if (g < 4) {
      scales[g] |= static_cast<std::uint8_t>(s);
      scales[g + 4] |= static_cast<std::uint8_t>(m);
    } else {
      scales[g + 4] = static_cast<std::uint8_t>((s & 15) | (m & 15) << 4);
      scales[g - 4] |= static_cast<std::uint8_t>((s >> 4) << 6);
      scales[g] |= static_cast<std::uint8_t>((m >> 4) << 6);
    }
    const float step = unit * static_cast<float>(s), low = minimum_unit * static_cast<float>(m);
    for (int i = g * kGroup; i < (g + 1) * kGroup; ++i) {
      levels[i] = static_cast<std::uint8_t>(nearest(ratio(x[i] + low, step), 0, 15));
    }
  }
  BlockWriter out(block);
  out.put(&d, sizeof d);
  out.put(&dmin, sizeof dmin);
  out.put(scales.data(), scales.size());
  for (int pair = 0; pair < kElements; pair += 2 * kGroup) {
    out.nibbles({levels.data() + pair, kGroup}, {levels.data() + pair + kGroup, kGroup});
  }
  return true;
}

// Q6_K: sixteen groups of 16 numbers d s (l - 32), s of eight bits with a sign.
bool q6_k(const float* x, std::byte* block) {
  constexpr int kGroups = 16, kGroup = 16, kMiddle = 32;
  std::array<float, kGroups> scales;
  for (int g = 0; g < kGroups; ++g) scales[g] = fit_symmetric({x + g * kGroup, kGroup}, kMiddle);
  const float extreme = *std::ranges::max_element(scales, {}, [](float v) { return std::abs(v); });
  const float16 d = f16_of(extreme / -128);  // whose sign lets the largest have -128
  if (!finite(d)) return false;
  const auto unit = static_cast<float>(d);
  std::array<std::int8_t, kGroups> stored;
  Levels levels;
  for (int g = 0; g < kGroups; ++g) {
    stored[g] = static_cast<std::int8_t>(nearest(ratio(scales[g], unit), -128, 127));
    const float step = unit * static_cast<float>(stored[g]);
    for (int i = g * kGroup; i < (g + 1) * kGroup; ++i) {
      const int level = nearest(ratio(x[i], step), -kMiddle, kMiddle - 1);
      levels[i] = static_cast<std::uint8_t>(level + kMiddle);
    }
  }
  BlockWriter out(block);
  for (int half = 0; half < kElements; half += 128) {
    const std::uint8_t* l = levels.data() + half;
    out.nibbles({l, 64}, {l + 64, 64});
  }
  for (int half = 0; half < kElements; half += 128) {
    const std::uint8_t* l = levels.data() + half;
    for (int i = 0; i < 32; ++i) {
      const auto upper = static_cast<std::uint8_t>(l[i] >> 4 | (l[i + 32] >> 4) << 2 |
                                                   (l[i + 64] >> 4) << 4 | (l[i + 96] >> 4) << 6);
      out.put(&upper, 1);
    }
  }
  out.put(stored.data(), stored.size());
  out.put(&d, sizeof d);
  return true;
}

}  // namespace

QuantizeBlock k_block_quantizer(Dtype dtype) { return dtype == Dtype::Q4_K ? q4_k : q6_k; }

}  // namespace gladius::kernels
