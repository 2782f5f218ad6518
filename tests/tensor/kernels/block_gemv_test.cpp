#define HWY_WANT_AVX3_DL  // as the kernel
#include "tensor/kernels/block_products_checks.h"

namespace gladius::kernels {
namespace {

using gladius::testing::BlockKernel;

const BlockKernel kKernel = {
    block_gemv,
    9,
    {Dtype::Q4_0, Dtype::Q4_1, Dtype::Q5_0, Dtype::Q5_1, Dtype::Q8_0, Dtype::Q2_K, Dtype::Q3_K,
     Dtype::Q4_K, Dtype::Q5_K, Dtype::Q6_K},
    [](Dtype dtype) { return block_elements(dtype); },
    // Of K types the integers are two bytes, 256 * 127 + 127.
    [](Dtype dtype) { return std::int64_t{block_elements(dtype) == 256 ? 32639 : 32767}; }};

TEST(BlockGemv, OfIntegersIsExact) { expect_integers_exact(kKernel); }
TEST(BlockGemv, ErrorIsThatOfTheIntegers) { expect_small_errors(kKernel); }
TEST(BlockGemv, LargestSumsFit) { expect_extremes_fit(kKernel); }
TEST(BlockGemv, RowsAreAsAlone) { expect_rows_alone(kKernel); }
TEST(BlockGemv, WhatIsNotFiniteStaysSo) { expect_not_finite_rows(kKernel); }
TEST(BlockGemv, ZerosAndTheSmallestAndLargestNumbers) { expect_all_sizes(kKernel); }

}  // namespace
}  // namespace gladius::kernels
