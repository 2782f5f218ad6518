#define HWY_WANT_AVX3_DL  // as the kernel
#include "tensor/kernels/block_products_checks.h"

namespace gladius::kernels {
namespace {

using gladius::testing::BlockKernel;

const BlockKernel kKernel = {
    block_gemm,
    15,
    {Dtype::Q2_K, Dtype::Q3_K, Dtype::Q4_K, Dtype::Q5_K, Dtype::Q6_K},
    [](Dtype dtype) { return block_elements(dtype); },
    [](Dtype dtype) { return std::int64_t{dtype == Dtype::Q6_K ? 16383 : 32767}; }};

TEST(BlockGemm, OfIntegersIsExact) { expect_integers_exact(kKernel); }
TEST(BlockGemm, ErrorIsThatOfTheIntegers) { expect_small_errors(kKernel); }
TEST(BlockGemm, LargestSumsFit) { expect_extremes_fit(kKernel); }
TEST(BlockGemm, RowsAreAsAlone) { expect_rows_alone(kKernel); }
TEST(BlockGemm, WhatIsNotFiniteStaysSo) { expect_not_finite_rows(kKernel); }
TEST(BlockGemm, ZerosAndTheSmallestAndLargestNumbers) { expect_all_sizes(kKernel); }

}  // namespace
}  // namespace gladius::kernels
