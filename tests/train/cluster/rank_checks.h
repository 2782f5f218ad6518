// What must hold of the messages and sums of any transport.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "gladius/train/cluster/ordered_sum.h"
#include "support/random.h"

namespace gladius::testing {

/// The same numbers on every rank: what rank `rank` begins with. Sums of them depend on the order.
inline std::vector<float> values_of_rank(unsigned seed, int rank, std::int64_t n) {
  Rng rng(seed * 1000 + static_cast<unsigned>(rank));
  std::vector<float> values;
  for (std::int64_t i = 0; i < n; ++i) {
    values.push_back(std::ldexp(static_cast<float>(random_int(rng, -99999, 99999)),
                                static_cast<int>(random_int(rng, -20, 20))));
  }
  return values;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  const auto bits = [](float value) { return std::bit_cast<std::uint32_t>(value); };
  return std::ranges::equal(a, b, {}, bits, bits);
}

/// Sums, gathers and broadcasts of `n` numbers; `seed` is the same on all ranks.
inline void check_collectives(cluster::Communicator& ranks, unsigned seed, std::int64_t n) {
  SCOPED_TRACE(::testing::Message() << ranks.size() << " ranks, rank " << ranks.rank() << ", " << n
                                    << " numbers, seed " << seed);
  const int size = ranks.size(), me = ranks.rank();
  std::vector<float> sum = values_of_rank(seed, 0, n);
  for (int rank = 1; rank < size; ++rank) {
    const std::vector<float> theirs = values_of_rank(seed, rank, n);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += theirs[i];
  }
  std::vector<float> values = values_of_rank(seed, me, n);
  cluster::reduce_scatter(ranks, values);
  std::vector<float> expected = values_of_rank(seed, me, n);
  const cluster::Share own = cluster::share_of(n, me, size);
  for (std::int64_t i = own.begin; i < own.end; ++i) {
    expected[static_cast<std::size_t>(i)] = sum[static_cast<std::size_t>(i)];
  }
  EXPECT_TRUE(same_bits(values, expected));
  cluster::all_gather(ranks, values);
  EXPECT_TRUE(same_bits(values, sum));

  values = values_of_rank(seed, me, n);
  cluster::broadcast(ranks, std::as_writable_bytes(std::span(values)));
  EXPECT_TRUE(same_bits(values, values_of_rank(seed, 0, n)));

  const std::string text(static_cast<std::size_t>(n % 50), static_cast<char>('a' + me));
  const std::vector<std::string> texts = cluster::gather_texts(ranks, text);
  ASSERT_EQ(texts.size(), me == 0 ? static_cast<std::size_t>(size) : 0U);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(texts[i], std::string(text.size(), static_cast<char>('a' + i)));
  }
  EXPECT_EQ(cluster::broadcast_text(ranks, text), std::string(text.size(), 'a'));
  const std::vector<double> sums = cluster::sum_of(ranks, {1, static_cast<double>(me)});
  EXPECT_EQ(sums, (std::vector<double>{static_cast<double>(size), size * (size - 1) / 2.0}));
  cluster::barrier(ranks);
}

}  // namespace gladius::testing
