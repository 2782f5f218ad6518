// Runs a test on every SIMD target that the kernels were compiled for and this machine has.
#pragma once

#include <gtest/gtest.h>

#include "gladius/tensor/kernels/simd_targets.h"
// After simd_targets.h:
#include "hwy/highway.h"

namespace gladius::testing {

/// Calls f() once a target, with the kernels' dispatch fixed to it; the target is in the trace.
template <class F>
void for_each_simd_target(F&& f) {
  struct Restore {
    ~Restore() { choose(0); }
    static void choose(std::int64_t target) {
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
  } restore;
  const std::int64_t supported = hwy::SupportedTargets();
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    // With those below it, which have higher bits, for kernels that are not compiled for it.
    Restore::choose(supported & ~(target - 1));
    f();
  }
}

}  // namespace gladius::testing
