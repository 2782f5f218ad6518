#include "gladius/tensor/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The vectors of Random123's kat_vectors.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t f = 0xffffffff;
  EXPECT_EQ(philox4x32({f, f, f, f}, {f, f}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// The Kolmogorov-Smirnov statistic sqrt(n) sup |F_n - F|; above 1.95 once in a thousand.
template <class F>
double kolmogorov_smirnov(std::vector<double> x, F cdf) {
  std::sort(x.begin(), x.end());
  const double n = static_cast<double>(x.size());
  double distance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double p = cdf(x[i]), at = static_cast<double>(i);
    distance = std::max({distance, p - at / n, (at + 1) / n - p});
  }
  return std::sqrt(n) * distance;
}

// The mean of x^k.
double moment(const std::vector<double>& x, int k) {
  double total = 0;
  for (const double v : x) total += std::pow(v, k);
  return total / static_cast<double>(x.size());
}

// The mean product of elements `lag` apart.
double correlation(const std::vector<double>& x, std::size_t lag) {
  double total = 0;
  for (std::size_t i = 0; i + lag < x.size(); ++i) total += x[i] * x[i + lag];
  return total / static_cast<double>(x.size() - lag);
}

constexpr std::int64_t many = 200'000;

TEST(Random, UniformDistribution) {
  Generator generator(42);
  const Tensor x = Tensor::empty({many}, Dtype::F64);
  fill_uniform_(x, generator, -2, 3);
  const auto values = x.to_vector<double>();
  EXPECT_LT(kolmogorov_smirnov(values, [](double v) { return (v + 2) / 5; }), 1.95);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*low, -2);
  EXPECT_LT(*high, 3);
}

TEST(Random, NormalDistribution) {
  Generator generator(43);
  const Tensor x = Tensor::empty({many}, Dtype::F32);
  fill_normal_(x, generator);
  const auto values = x.to_vector<double>();
  const auto cdf = [](double v) { return std::erfc(-v / std::numbers::sqrt2) / 2; };
  EXPECT_LT(kolmogorov_smirnov(values, cdf), 1.95);
  // Standard errors: sqrt of 1, 2, 15, 96 over n; five of them.
  const double error = 5 / std::sqrt(double{many});
  EXPECT_NEAR(moment(values, 1), 0, error);
  EXPECT_NEAR(moment(values, 2), 1, error * std::sqrt(2));
  EXPECT_NEAR(moment(values, 3), 0, error * std::sqrt(15));
  EXPECT_NEAR(moment(values, 4), 3, error * std::sqrt(96));
  for (const std::size_t lag : {1, 2, 3, 4, 5}) {
    EXPECT_NEAR(correlation(values, lag), 0, error) << "lag " << lag;
  }
}

TEST(Random, MeanAndStdScale) {
  Generator a(1), b(1);
  const Tensor standard = Tensor::empty({9}, Dtype::F64), scaled = Tensor::empty({9}, Dtype::F64);
  fill_normal_(standard, a);
  fill_normal_(scaled, b, 5, 0.25);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(scaled.to_vector<double>()[i], 5 + 0.25 * standard.to_vector<double>()[i]);
  }
}

TEST(Random, SameForAnyThreadCountAndAsSingleCalls) {
  const int before = num_threads();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    Generator generator(7);
    generator.advance(3);  // not at the start of a block
    const Tensor x = Tensor::empty({301, 333});
    fill_normal_(x.transpose(0, 1), generator);
    EXPECT_EQ(generator.state(), (Generator::State{7, 3 + 301 * 333}));
    results.push_back(x.transpose(0, 1).to_vector<float>());
  }
  set_num_threads(before);
  Generator generator(7);
  generator.advance(3);
  std::vector<float> single(301 * 333);
  for (float& v : single) v = static_cast<float>(generator.normal());
  for (const auto& result : results) EXPECT_EQ(result, single);
}

TEST(Random, StateResumesAndSeedsDiffer) {
  Generator generator(5);
  generator.uniform();
  const Generator::State saved = generator.state();
  const std::vector<double> first{generator.uniform(), generator.normal(),
                                  static_cast<double>(generator.randint(0, 1000))};
  generator.set_state(saved);
  const std::vector<double> again{generator.uniform(), generator.normal(),
                                  static_cast<double>(generator.randint(0, 1000))};
  EXPECT_EQ(first, again);
  generator.manual_seed(5 + (std::uint64_t{1} << 32));  // all 64 bits count
  EXPECT_NE(generator.uniform(), Generator(5).uniform());
  EXPECT_EQ(&default_generator(), &default_generator());
}

TEST(Random, RandintIsUniformOverSmallAndHugeRanges) {
  Generator generator(6);
  std::array<double, 7> counts{};
  constexpr int draws = 70'000;
  for (int i = 0; i < draws; ++i) {
    const std::int64_t value = generator.randint(-3, 4);
    ASSERT_TRUE(-3 <= value && value < 4) << value;
    ++counts[static_cast<std::size_t>(value + 3)];
  }
  double chi_squared = 0;  // 6 degrees of freedom: above 22.5 once in a thousand
  for (const double count : counts) chi_squared += std::pow(count - draws / 7, 2) / (draws / 7);
  EXPECT_LT(chi_squared, 22.5);
  // A range of 3/4 of 2^64: without rejection a third of the values would come twice as often.
  constexpr std::int64_t quarter = std::int64_t{1} << 62;
  std::vector<double> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<double>(generator.randint(-2 * quarter, quarter)));
  }
  const auto cdf = [](double v) { return (v + 0x1p63) / (3 * 0x1p62); };
  EXPECT_LT(kolmogorov_smirnov(values, cdf), 1.95);
}

TEST(Random, RefusesWhatItCannotFill) {
  Generator generator;
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([&] {
              fill_normal_(Tensor::zeros({2, 3}, Dtype::I64), generator);
            }),
            "fill_normal_: expected a floating-point tensor, got I64 [2, 3]");
  EXPECT_EQ(message([&] { fill_uniform_(Tensor::zeros({2}), generator, 2, 1); }),
            "fill_uniform_: expected lo <= hi, got lo 2 and hi 1");
  EXPECT_EQ(message([&] { fill_normal_(Tensor::zeros({2}), generator, 0, -1); }),
            "fill_normal_: expected std >= 0, got -1");
  EXPECT_EQ(message([&] { generator.randint(4, 4); }),
            "randint: expected lo < hi, got lo 4 and hi 4");
  EXPECT_EQ(generator.state(), Generator::State{});
}

}  // namespace
}  // namespace gladius
