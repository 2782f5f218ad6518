#include "gladius/tensor/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "gladius/tensor/parallel.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using testing::message_of;
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

TEST(Random, NewTensorsAreFilledOnes) {
  Generator a(3), b(3);
  const Tensor expected = Tensor::empty({2, 3}, Dtype::F64);
  fill_uniform_(expected, b);
  EXPECT_EQ(rand({2, 3}, a, Dtype::F64).to_vector<double>(), expected.to_vector<double>());
  fill_normal_(expected, b);
  EXPECT_EQ(randn({2, 3}, a, Dtype::F64).to_vector<double>(), expected.to_vector<double>());
  EXPECT_EQ(rand({4}).dtype(), Dtype::F32);
  default_generator().manual_seed(8);
  const std::vector<float> first = randn({5}).to_vector<float>();
  default_generator().manual_seed(8);
  EXPECT_EQ(randn({5}).to_vector<float>(), first);
}

TEST(Random, BernoulliGivesAValueWithItsProbability) {
  Generator generator(9);
  const Tensor x = Tensor::empty({many});
  for (const double p : {0.0, 0.3, 1.0}) {
    fill_bernoulli_(x, generator, p, 2.5);
    double hits = 0;
    for (const float value : x.to_vector<float>()) {
      ASSERT_TRUE(value == 0 || value == 2.5f);
      hits += value != 0;
    }
    EXPECT_NEAR(hits / many, p, 5 * std::sqrt(p * (1 - p) / many));
  }
}

// sum((count - expected)^2 / expected) for counts of draws with the given probabilities.
double chi_squared(const std::vector<double>& counts, const std::vector<double>& probabilities) {
  const double draws = std::accumulate(counts.begin(), counts.end(), 0.0);
  double total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (probabilities[i] == 0) {
      EXPECT_EQ(counts[i], 0) << "category " << i;
      continue;
    }
    const double expected = draws * probabilities[i];
    total += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return total;
}

TEST(Multinomial, DrawsEachRowInProportionToItsWeights) {
  Generator generator(10);
  const Tensor weights = Tensor::from<double>({0, 1, 0, 2, 5, 0, 3, 3, 0, 1, 1, 0}, {2, 6});
  const Tensor samples = multinomial(weights.to(Dtype::F32), many, true, generator);
  EXPECT_EQ(samples.shape(), (Shape{2, many}));
  EXPECT_EQ(samples.dtype(), Dtype::I64);
  for (std::int64_t r = 0; r < 2; ++r) {
    std::vector<double> counts(6), probabilities = weights.select(0, r).to_vector<double>();
    for (double& p : probabilities) p /= 8;
    for (const auto i : samples.select(0, r).to_vector<std::int64_t>()) {
      ++counts[static_cast<std::size_t>(i)];
    }
    EXPECT_LT(chi_squared(counts, probabilities), 16.3);  // 3 degrees of freedom at most: 1/1000
  }
}

TEST(Multinomial, WithoutReplacementDrawsPairsAsOneAfterTheOther) {
  Generator generator(11);
  const std::vector<double> p{0.5, 0.3, 0, 0.2};
  const std::int64_t draws = 40'000;
  const Tensor weights = Tensor::from(p, {1, 4}).expand({draws, 4});
  const std::vector<std::int64_t> pairs =
      multinomial(weights, 2, false, generator).to_vector<std::int64_t>();
  std::vector<double> counts(16), probabilities(16);
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    ++counts[static_cast<std::size_t>(pairs[i] * 4 + pairs[i + 1])];
  }
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      if (i != j) probabilities[i * 4 + j] = p[i] * p[j] / (1 - p[i]);
    }
  }
  EXPECT_LT(chi_squared(counts, probabilities), 20.5);  // 5 degrees of freedom: 1/1000
  // Every sample of all of a row is a permutation of it.
  std::vector<std::int64_t> all =
      multinomial(Tensor::ones({50}), 50, false, generator).to_vector<std::int64_t>();
  std::ranges::sort(all);
  EXPECT_EQ(all, Tensor::arange(50).to_vector<std::int64_t>());
}

TEST(Multinomial, IsTheSameForAnyThreadCount) {
  const int before = num_threads();
  for (const bool replacement : {true, false}) {
    std::vector<std::vector<std::int64_t>> results;
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      Generator generator(12);
      const Tensor weights = rand({2000, 3, 5}, generator);
      results.push_back(multinomial(weights, 3, replacement, generator).to_vector<std::int64_t>());
    }
    EXPECT_EQ(results[0], results[1]);
  }
  set_num_threads(before);
}

TEST(Multinomial, WrongUse) {
  const auto draw = [](const std::vector<double>& weights, std::int64_t samples, bool replacement) {
    return [=] {
      multinomial(Tensor::from(weights, {2, static_cast<std::int64_t>(weights.size()) / 2}),
                  samples, replacement);
    };
  };
  const Generator::State before = default_generator().state();
  EXPECT_EQ(message_of(draw({1, 2, 3, -4}, 1, true)),
            "multinomial: weight 1 of row 1 of F64 [2, 2] is -4; expected a finite number, not "
            "negative");
  EXPECT_EQ(message_of(draw({1, std::nan(""), 3, 4}, 1, true)),
            "multinomial: weight 1 of row 0 of F64 [2, 2] is nan; expected a finite number, not "
            "negative");
  EXPECT_EQ(message_of(draw({1, 2, INFINITY, 4}, 1, false)),
            "multinomial: weight 0 of row 1 of F64 [2, 2] is inf; expected a finite number, not "
            "negative");
  EXPECT_EQ(message_of(draw({1, 2, 0, 0}, 1, true)),
            "multinomial: the weights of row 1 of F64 [2, 2] sum to 0");
  EXPECT_EQ(message_of<ShapeError>(draw({1, 2, 3, 4}, 3, false)),
            "multinomial: 3 samples without replacement of weights F64 [2, 2]");
  EXPECT_EQ(message_of<ShapeError>(draw({1, 2, 0, 4}, 2, false)),
            "multinomial: 2 samples without replacement, but row 1 of F64 [2, 2] has 1 weights "
            "above 0");
  EXPECT_EQ(message_of<ShapeError>(draw({1, 2, 3, 4}, 0, true)),
            "multinomial: 0 samples of weights F64 [2, 2]; expected rows of weights [..., n] and "
            "at least one sample");
  EXPECT_EQ(message_of<ShapeError>([] { multinomial(Tensor::scalar(1), 1); }).substr(0, 38),
            "multinomial: 1 samples of weights F32 ");
  EXPECT_EQ(message_of<DtypeError>([] { multinomial(Tensor::arange(3), 1); }),
            "multinomial: expected floating-point weights, got I64 [3]");
  EXPECT_EQ(default_generator().state(), before);
}

TEST(Random, RefusesWhatItCannotFill) {
  Generator generator;
  EXPECT_EQ(message_of([&] {
              fill_normal_(Tensor::zeros({2, 3}, Dtype::I64), generator);
            }),
            "fill_normal_: expected a floating-point tensor, got I64 [2, 3]");
  EXPECT_EQ(message_of([&] { fill_uniform_(Tensor::zeros({2}), generator, 2, 1); }),
            "fill_uniform_: expected lo <= hi, got lo 2 and hi 1");
  EXPECT_EQ(message_of([&] { fill_normal_(Tensor::zeros({2}), generator, 0, -1); }),
            "fill_normal_: expected std >= 0, got -1");
  EXPECT_EQ(message_of([&] { generator.randint(4, 4); }),
            "randint: expected lo < hi, got lo 4 and hi 4");
  EXPECT_EQ(message_of([&] { fill_bernoulli_(Tensor::zeros({2}), generator, 1.5); }),
            "fill_bernoulli_: expected a probability in [0, 1], got 1.5");
  EXPECT_EQ(message_of<DtypeError>([&] { rand({2}, generator, Dtype::I32); }),
            "rand: expected a floating-point tensor, got I32 [2]");
  EXPECT_EQ(message_of<DtypeError>([&] { randn({2}, generator, Dtype::BOOL); }),
            "randn: expected a floating-point tensor, got BOOL [2]");
  EXPECT_EQ(generator.state(), Generator::State{});
}

}  // namespace
}  // namespace gladius
