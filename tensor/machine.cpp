#include "gladius/tensor/kernels/simd_targets.h"
// The order matters.
#include <hwy/highway.h>

#include <sstream>
#include <string_view>

#include "gladius/tensor/kernels/blas_core_type.h"
#include "gladius/tensor/machine.h"

// Of OpenBLAS.
extern "C" {
__attribute__((weak)) char* openblas_get_config();
}

namespace gladius {

std::string blas_library() {
  std::string library = "BLAS", release;
  if (openblas_get_config != nullptr) {
    // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
    std::istringstream(openblas_get_config()) >> library >> release;
    library += " " + release;
  }
  const std::string core = kernels::blas_core_type();
  return core.empty() ? library : library + " (" + core + ")";
}

std::string kernel_instruction_set() {
  const auto targets = hwy::SupportedTargets() & HWY_TARGETS;
  const std::string name = hwy::TargetName(targets & -targets);  // the lowest bit is the best one
  return std::string_view(name).starts_with("AVX3") ? name + " (AVX-512)" : name;
}

}  // namespace gladius
