// Which processor's kernels OpenBLAS runs. A release that is older than the processor does not know
// it and may fall back to kernels of the first 64-bit ones, which are several times slower:
// OpenBLAS 0.3.21 (Debian 12) takes an Emerald Rapids for a Prescott.
#pragma once

#include <string>

namespace gladius::kernels {

/// OpenBLAS's name of the processor that its kernels are for; empty if it does not say.
std::string blas_core_type();

struct VectorUnits {
  bool avx2 = false;    // with fused multiply-add
  bool avx512 = false;  // F, CD, BW, DQ, VL
};

/// The name to use instead of `current` on a processor with these units; empty to leave it.
std::string better_core_type(const std::string& current, VectorUnits units);

/// Moves OpenBLAS to the better kernels, if there are any and the environment does not name others
/// (OPENBLAS_CORETYPE). While no product runs. It sets and unsets that variable, so no other thread
/// should change the environment meanwhile.
void choose_blas_kernels();

}  // namespace gladius::kernels
