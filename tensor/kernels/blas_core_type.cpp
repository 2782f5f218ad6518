#include "gladius/tensor/kernels/blas_core_type.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

// Of OpenBLAS; the last two only where it chooses its kernels at run time.
extern "C" {
__attribute__((weak)) char* openblas_get_corename();
__attribute__((weak)) void gotoblas_dynamic_init();
__attribute__((weak)) void gotoblas_dynamic_quit();
}

namespace gladius::kernels {
namespace {

constexpr const char* kVariable = "OPENBLAS_CORETYPE";

VectorUnits vector_units() {
  VectorUnits units;
#if defined(__x86_64__)
  __builtin_cpu_init();
  units.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  units.avx512 = units.avx2 && __builtin_cpu_supports("avx512f") &&
                 __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
  return units;
}

}  // namespace

std::string blas_core_type() { return openblas_get_corename ? openblas_get_corename() : ""; }

std::string better_core_type(const std::string& current, VectorUnits units) {
  // For processors that have no AVX2, by their names in OpenBLAS's cpuid.
  constexpr std::array<std::string_view, 9> kOld{"Prescott",   "Core2",   "Penryn",
                                                 "Dunnington", "Nehalem", "Atom",
                                                 "Barcelona",  "Bobcat",  "Sandybridge"};
  if (!units.avx2 || std::ranges::find(kOld, current) == kOld.end()) return {};
  return units.avx512 ? "SkylakeX" : "Haswell";
}

void choose_blas_kernels() {
  if (!gotoblas_dynamic_init || !gotoblas_dynamic_quit || std::getenv(kVariable)) return;
  const std::string better = better_core_type(blas_core_type(), vector_units());
  if (better.empty()) return;
  // The variable is the only way to name a type.
  ::setenv(kVariable, better.c_str(), 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  ::unsetenv(kVariable);
}

}  // namespace gladius::kernels
