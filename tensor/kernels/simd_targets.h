// Which of Highway's targets the kernels are compiled for. Comes before any header of Highway's.
#pragma once

// SSSE3 alone is below x86-64-v2; bits 4 and 6 are AVX3_SPR and AVX3_ZEN4, which Highway 1.0.3 does
// not name, and which have nothing for these kernels that AVX3_DL has not; the scalable vectors of
// SVE cannot be elements of arrays, which the folds of simd-inl.h use, so Arm runs NEON.
#define GLADIUS_UNUSED_TARGETS \
  (HWY_SSSE3 | (1LL << 4) | (1LL << 6) | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#if defined(__SANITIZE_THREAD__) || defined(GLADIUS_FEW_SIMD_TARGETS)
// Each target takes as long to compile as the first, and threads do the same whatever the vectors'
// size.
#define HWY_DISABLED_TARGETS (GLADIUS_UNUSED_TARGETS | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL)
#else
#define HWY_DISABLED_TARGETS GLADIUS_UNUSED_TARGETS
#endif
