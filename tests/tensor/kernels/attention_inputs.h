// Attentions of random shapes and what the kernels make of them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "gladius/tensor/kernels/attention.h"

namespace gladius::kernels {

inline constexpr double kUntouched =
    7;  // what results hold before, and between tokens also afterwards

inline AttentionShape compact(std::int64_t B, std::int64_t T, std::int64_t S, std::int64_t H,
                              std::int64_t Hkv, std::int64_t D) {
  return {
      B, T, S, H, Hkv, D, H * D, Hkv * D, Hkv * D, H * D, 1 / std::sqrt(static_cast<double>(D))};
}

template <class T>
struct Inputs {
  AttentionShape shape;
  std::vector<std::int64_t> first_key;
  std::vector<T> q, k, v, dout;

  Inputs(std::mt19937_64& random, const AttentionShape& s, double spread = 1) : shape(s) {
    q = normal(random, s.B * s.T * s.q_stride, spread);
    k = normal(random, s.B * s.S * s.k_stride, 1);
    v = normal(random, s.B * s.S * s.v_stride, 1);
    dout = normal(random, s.B * s.T * s.out_stride, 1);
  }

  void set_first_keys(std::vector<std::int64_t> keys) {
    first_key = std::move(keys);
    shape.first_key = first_key.data();
  }

 private:
  static std::vector<T> normal(std::mt19937_64& random, std::int64_t size, double spread) {
    std::normal_distribution<double> distribution(0, spread);
    std::vector<T> values(static_cast<std::size_t>(size));
    for (T& value : values) value = static_cast<T>(distribution(random));
    return values;
  }
};

template <class T>
struct Results {
  std::vector<T> out, lse, dq, dk, dv;

  explicit Results(const Inputs<T>& in)
      : out(in.dout.size(), kUntouched),
        lse(static_cast<std::size_t>(in.shape.B * in.shape.H * in.shape.T), kUntouched),
        dq(in.q.size(), kUntouched),
        dk(in.k.size(), kUntouched),
        dv(in.v.size(), kUntouched) {
    attention(in.shape, in.q.data(), in.k.data(), in.v.data(), out.data(), lse.data());
    attention_backward(in.shape, in.q.data(), in.k.data(), in.v.data(), out.data(), lse.data(),
                       in.dout.data(), dq.data(), dk.data(), dv.data());
  }
  bool operator==(const Results&) const = default;
};

inline ::testing::Message describe(const AttentionShape& s) {
  return ::testing::Message() << "B " << s.B << ", T " << s.T << ", S " << s.S << ", H " << s.H
                              << ", Hkv " << s.Hkv << ", D " << s.D << ", causal " << s.causal
                              << ", first keys " << (s.first_key != nullptr);
}

// First keys as sliding windows, as packed examples, or anything (also out of range).
inline std::vector<std::int64_t> random_first_keys(std::mt19937_64& random,
                                                   const AttentionShape& s) {
  std::vector<std::int64_t> keys;
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  const std::int64_t kind = below(3), window = 1 + below(s.S);
  for (std::int64_t b = 0; b < s.B; ++b) {
    std::int64_t start = 0;
    for (std::int64_t t = 0; t < s.T; ++t) {
      const std::int64_t last = t + s.S - s.T;
      if (below(20) == 0) start = std::max<std::int64_t>(last, 0);
      keys.push_back(kind == 0 ? last - window + 1 : kind == 1 ? start : below(2 * s.S) - s.S / 2);
    }
  }
  return keys;
}

template <class T>
Inputs<T> random_inputs(std::mt19937_64& random) {
  const auto pick = [&](std::initializer_list<std::int64_t> values) {
    return values.begin()[random() % values.size()];
  };
  const std::int64_t Hkv = pick({1, 2, 3});
  const std::int64_t T_ = pick({1, 1, 2, 7, 16, 47, 63, 64, 65, 127, 128, 129, 130});
  const std::int64_t S = random() % 2 ? T_ : T_ + pick({0, 1, 5, 130, 255, 256, 257});
  // Of long sequences one is enough: the definition takes its time.
  const bool large = T_ * S > 1 << 13;
  AttentionShape s = compact(large ? 1 : pick({1, 2}), T_, S, Hkv * pick({1, 2, 3}), Hkv,
                             large ? pick({5, 16, 64}) : pick({1, 5, 16, 64, 80}));
  s.q_stride += pick({0, 3, 32});
  s.k_stride += pick({0, 1, 32});
  s.v_stride += pick({0, 2, 32});
  s.out_stride += pick({0, 5});
  s.causal = random() % 3 != 0;
  Inputs<T> inputs(random, s, random() % 4 == 0 ? 300 : 1);
  if (random() % 2) inputs.set_first_keys(random_first_keys(random, s));
  return inputs;
}

}  // namespace gladius::kernels
