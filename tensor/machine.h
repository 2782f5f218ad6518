// What computes on this machine, in words.
#pragma once

#include <string>

namespace gladius {

/// "OpenBLAS 0.3.21 (Haswell)": the library of matrix products, its release, and the processor that
/// its kernels are for, as far as it tells.
std::string blas_library();

/// The instruction set that the library's own kernels run on this processor, by Highway's name for
/// it: "AVX2", "AVX3_DL (AVX-512)", "NEON", ...
std::string kernel_instruction_set();

}  // namespace gladius
