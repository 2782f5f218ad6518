#include "gladius/tensor/kernels/blas_core_type.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "gladius/tensor/kernels/gemm.h"

namespace gladius::kernels {
namespace {

TEST(BlasCoreType, OldKernelsGiveWayToTheProcessorsUnits) {
  EXPECT_EQ(better_core_type("Prescott", {.avx2 = true, .avx512 = true}), "SkylakeX");
  EXPECT_EQ(better_core_type("Sandybridge", {.avx2 = true}), "Haswell");
  EXPECT_EQ(better_core_type("Prescott", {}), "");
}

TEST(BlasCoreType, WhatOpenBlasKnowsIsLeftAlone) {
  for (const char* known : {"Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids",
                            "Excavator", "armv8", "NEOVERSEN1", ""}) {
    EXPECT_EQ(better_core_type(known, {.avx2 = true, .avx512 = true}), "") << known;
  }
}

TEST(BlasCoreType, ProductsHereDoNotRunOnOldKernels) {
  if (std::getenv("OPENBLAS_CORETYPE")) GTEST_SKIP() << "the environment has chosen";
  const float a[4] = {1, 2, 3, 4};
  float c[4];
  gemm(2, 2, 2, a, 2, a, 2, c, 2, {.transpose_b = true, .alpha = 2});
  EXPECT_EQ(c[3], 50);
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  EXPECT_EQ(better_core_type(blas_core_type(), {.avx2 = avx2}), "") << blas_core_type();
#endif
  EXPECT_EQ(std::getenv("OPENBLAS_CORETYPE"), nullptr);
}

}  // namespace
}  // namespace gladius::kernels
