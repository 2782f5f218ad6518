// What a test leaves out under the address and thread sanitizers, where it takes ten times as long.
#pragma once

namespace gladius::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace gladius::testing
