#include "gladius/tensor/quantized.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>

#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/tensor/kernels/blocks.h"
#include "support/blocks.h"
#include "support/message_of.h"
#include "support/random.h"
#include "support/simd_targets.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using namespace gladius::testing;
using ::testing::HasSubstr;

// Blocks of whose bytes each field is one number throughout, by the formulas of the format.
struct Uniform {
  Dtype dtype;
  std::vector<std::pair<int, int>> bytes;  // count, value
  float expected;
};
constexpr int kOneHigh = 0x3c, kTwoHigh = 0x40;  // upper bytes of 1 and 2 in F16; the lower are 0

const Uniform kUniform[] = {
    {Dtype::Q4_0, {{1, 0}, {1, kTwoHigh}, {16, 0xdd}}, 2 * (13 - 8)},
    {Dtype::Q4_1, {{1, 0}, {1, kTwoHigh}, {1, 0}, {1, kOneHigh}, {16, 0xdd}}, 2 * 13 + 1},
    {Dtype::Q5_0, {{1, 0}, {1, kTwoHigh}, {4, 0xff}, {16, 0xdd}}, 2 * (29 - 16)},
    {Dtype::Q5_1,
     {{1, 0}, {1, kTwoHigh}, {1, 0}, {1, kOneHigh}, {4, 0xff}, {16, 0xdd}},
     2 * 29 + 1},
    {Dtype::Q8_0, {{1, 0}, {1, kTwoHigh}, {32, 0xfd}}, 2 * -3},
    // scale 5, minimum 3, all q 2
    {Dtype::Q2_K,
     {{16, 0x35}, {64, 0xaa}, {1, 0}, {1, kTwoHigh}, {1, 0}, {1, kOneHigh}},
     2 * 5 * 2 - 1 * 3},
    // scales 0b110101 - 32 = 21, q 2, mask clear: minus 4
    {Dtype::Q3_K,
     {{32, 0}, {64, 0xaa}, {8, 0x55}, {4, 0xff}, {1, 0}, {1, kTwoHigh}},
     2 * 21 * (2 - 4)},
    // six-bit scales and minima of 0b010101 = 21: upper pairs 01, nibbles 5
    {Dtype::Q4_K,
     {{1, 0}, {1, kTwoHigh}, {1, 0}, {1, kOneHigh}, {8, 0x55}, {4, 0x55}, {128, 0x77}},
     2 * 21 * 7 - 21},
    {Dtype::Q5_K,
     {{1, 0}, {1, kTwoHigh}, {1, 0}, {1, kOneHigh}, {8, 0x55}, {4, 0x55}, {32, 0xff}, {128, 0x77}},
     2 * 21 * 23 - 21},
    // q 0b100111 = 39 minus 32, scale -2
    {Dtype::Q6_K, {{128, 0x77}, {64, 0xaa}, {16, 0xfe}, {1, 0}, {1, kTwoHigh}}, 2 * -2 * 7},
};

TEST(Quantized, BlocksMeanWhatTheFormatSays) {
  for (const Uniform& uniform : kUniform) {
    SCOPED_TRACE(dtype_name(uniform.dtype));
    const Tensor block = Tensor::empty({block_elements(uniform.dtype)}, uniform.dtype);
    std::byte* at = block.raw_data();
    for (const auto& [count, value] : uniform.bytes) {
      at = std::fill_n(at, count, static_cast<std::byte>(value));
    }
    ASSERT_EQ(at, block.raw_data() + block.nbytes());
    for (const float value : dequantize(block).to_vector<float>()) {
      ASSERT_EQ(value, uniform.expected);
    }
  }
}

TEST(Quantized, EveryProcessorReadsTheSameNumbers) {
  Rng rng(7);
  for (const Dtype dtype : kBlockTypes) {
    const Tensor blocks = random_blocks(rng, {3, 4 * block_elements(dtype)}, dtype);
    const auto expected = dequantize(blocks).to_vector<float>();
    for_each_simd_target(
        [&] { EXPECT_EQ(dequantize(blocks).to_vector<float>(), expected) << dtype_name(dtype); });
  }
}

TEST(Quantized, ErrorIsAtMostHalfAStep) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (const auto& [dtype, step] : {std::pair{Dtype::Q8_0, 1.0 / 127},
                                    {Dtype::Q4_1, 2.0 / 15},
                                    {Dtype::Q5_1, 2.0 / 31},
                                    {Dtype::Q4_0, 1.0 / 8},
                                    {Dtype::Q5_0, 1.0 / 16}}) {
    const Tensor numbers = random_tensor(rng, {5, 96}, -1, 1, Dtype::F32);
    const Tensor blocks = numbers.to(dtype);
    EXPECT_EQ(blocks.nbytes(), 15 * dtype_size(dtype));
    const auto got = blocks.to(Dtype::F32).to_vector<float>(), want = numbers.to_vector<float>();
    // And that of the scale, which is F16. Q4_0 and Q5_0 have no level at the end opposite to the
    // largest number.
    const double worst = dtype == Dtype::Q4_0 || dtype == Dtype::Q5_0 ? 1.02 : 0.6;
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], worst * step);
  }
}

// The error of normal and of lopsided numbers over their size, against that of the K types in the
// literature of the format; a block with an outlier, of zeros, and of equal numbers of either sign.
TEST(Quantized, KTypesKeepWhatTheirBitsCan) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 rng(seed);
  std::normal_distribution<float> normal;
  const auto relative_error = [](const Tensor& numbers, Dtype dtype) {
    const auto want = numbers.to_vector<float>();
    const auto got = numbers.to(dtype).to(Dtype::F32).to_vector<float>();
    double error = 0, size = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      error += std::pow(got[i] - want[i], 2), size += std::pow(want[i], 2);
    }
    return size > 0 ? std::sqrt(error / size) : std::sqrt(error);
  };
  const Tensor even = Tensor::empty({8, 512});
  std::generate_n(even.data<float>(), even.numel(), [&] { return normal(rng); });
  EXPECT_LT(relative_error(even, Dtype::Q4_K), 0.085);
  EXPECT_GT(relative_error(even, Dtype::Q4_K), 0.04);
  EXPECT_LT(relative_error(even, Dtype::Q6_K), 0.022);
  const Tensor lopsided = exp(even);
  EXPECT_LT(relative_error(lopsided, Dtype::Q4_K), 0.085);
  EXPECT_LT(relative_error(lopsided, Dtype::Q6_K), 0.03);
  even.data<float>()[rng() % 512] = 300;
  EXPECT_LT(relative_error(even, Dtype::Q4_K), 0.085);
  for (const float value : {0.0f, 0.37f, -0.5f, 1e-30f}) {
    const Tensor equal = Tensor::full({256}, value);
    EXPECT_LT(relative_error(equal, Dtype::Q4_K), value == 1e-30f ? 1.01 : 1e-3) << value;
    EXPECT_LT(relative_error(equal, Dtype::Q6_K), value == 1e-30f ? 1.01 : 1e-3) << value;
  }
}

// Numbers that a block can hold come back as they were.
TEST(Quantized, KTypesKeepTheirOwnNumbers) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 rng(seed);
  const Tensor numbers = Tensor::empty({64, 256});
  for (const auto& [dtype, group, low, high] :
       {std::tuple{Dtype::Q4_K, 32, -4, 11}, {Dtype::Q6_K, 16, -32, 31}}) {
    for (std::int64_t i = 0; i < numbers.numel(); i += group) {
      // Each group has both ends, so that its scale is that of its levels.
      const int span = high - low;
      for (int j = 0; j < group; ++j) {
        const int level = j == 0 ? low : j == 1 ? high : low + static_cast<int>(rng() % (span + 1));
        numbers.data<float>()[i + j] = 0.25f * static_cast<float>(level);
      }
    }
    // But for the scale of the scales, which is F16.
    EXPECT_THAT(numbers.to(dtype).to(Dtype::F32).to_vector<float>(),
                ::testing::Pointwise(::testing::FloatNear(5e-3f), numbers.to_vector<float>()))
        << dtype_name(dtype);
  }
}

TEST(Quantized, RowsAreViewsAndCopies) {
  Rng rng(3);
  const Tensor blocks = random_blocks(rng, {6, 64}, Dtype::Q5_0);
  const auto numbers = dequantize(blocks);
  const Tensor middle = blocks.narrow(0, 2, 3);
  EXPECT_EQ(middle.nbytes(), 3u * 2 * 22);
  EXPECT_EQ(dequantize(middle).to_vector<float>(), numbers.narrow(0, 2, 3).to_vector<float>());
  EXPECT_EQ(dequantize(middle.clone()).to_vector<float>(),
            numbers.narrow(0, 2, 3).to_vector<float>());
  EXPECT_EQ(dequantize(blocks.narrow(1, 32, 32)).to_vector<float>(),
            numbers.narrow(1, 32, 32).to_vector<float>());
  EXPECT_EQ(blocks.to(Dtype::BF16).to_vector<float>(), numbers.to(Dtype::BF16).to_vector<float>());
}

TEST(Quantized, BlocksAreNotCut) {
  const auto error = [](auto f) { return message_of<Error>(f); };
  EXPECT_THAT(error([] { Tensor::empty({2, 40}, Dtype::Q8_0); }), HasSubstr("blocks of 32"));
  const Tensor blocks = Tensor::zeros({2, 64}).to(Dtype::Q8_0);
  EXPECT_THAT(error([&] { blocks.narrow(1, 16, 32); }), HasSubstr("blocks of 32"));
  EXPECT_THAT(error([&] { blocks.transpose(0, 1); }), HasSubstr("Q8_0 [2, 64]"));
  EXPECT_THAT(error([&] { blocks.select(1, 0); }), HasSubstr("blocks of 32"));
  EXPECT_THAT(error([] { Tensor::zeros({2, 64}, Dtype::Q8_0); }), HasSubstr("to(Dtype::F32)"));
}

TEST(Quantized, WhatCannotBeQuantised) {
  const auto error = [](auto f) { return message_of<Error>(f); };
  EXPECT_THAT(error([] { Tensor::zeros({256}).to(Dtype::Q5_K); }),
              HasSubstr("Q5_K is not written"));
  EXPECT_THAT(error([] {
                Tensor::zeros({2, 33}).to(Dtype::Q4_0);
              }),
              HasSubstr("not a multiple of 32"));
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    Tensor numbers = Tensor::ones({2, 32});
    numbers.data<float>()[40] = bad;
    EXPECT_THAT(error([&] { numbers.to(Dtype::Q8_0); }), HasSubstr("NaN"));
  }
  EXPECT_THAT(error([] { Tensor::full({32}, 1e30).to(Dtype::Q8_0); }), HasSubstr("F16 scale"));
  for (const Dtype dtype : {Dtype::Q4_K, Dtype::Q6_K}) {
    for (const double size : {1e30, 3e38}) {  // the second's range is no float
      Tensor numbers = Tensor::full({256}, size);
      numbers.data<float>()[9] = static_cast<float>(-size);
      EXPECT_THAT(error([&] { numbers.to(dtype); }), HasSubstr("F16 scale")) << size;
    }
  }
  const testing::TemporaryDirectory directory;
  EXPECT_THAT(error([&] {
                write_safetensors(directory / "x", {{"w", Tensor::ones({32}).to(Dtype::Q8_0)}});
              }),
              HasSubstr("safetensors has no Q8_0"));
}

// A range so small that its inverse is infinite: the scale is 0 in F16, and so are the numbers.
TEST(Quantized, ARangeTooSmallForAScaleIsZero) {
  for (const Dtype dtype : {Dtype::Q8_0, Dtype::Q4_0, Dtype::Q4_1, Dtype::Q5_0, Dtype::Q5_1,
                            Dtype::Q4_K, Dtype::Q6_K}) {
    Tensor numbers = Tensor::zeros({256});
    numbers.data<float>()[7] = 1e-40f;
    EXPECT_THAT(numbers.to(dtype).to(Dtype::F32).to_vector<float>(), ::testing::Each(0.0f))
        << dtype_name(dtype);
  }
}

}  // namespace
}  // namespace gladius
