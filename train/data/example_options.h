// How lines of data become examples.
#pragma once

#include "gladius/tensor/base/enum_names.h"

namespace gladius {

/// Which tokens have a label.
enum class LossOn { all, assistant };
template <>
inline constexpr EnumName<LossOn> kEnumNames<LossOn>[] = {{LossOn::all, "all"},
                                                          {LossOn::assistant, "assistant"}};

/// What becomes of a line that is no example.
enum class OnBadLine { fail, skip };
template <>
inline constexpr EnumName<OnBadLine> kEnumNames<OnBadLine>[] = {{OnBadLine::fail, "fail"},
                                                                {OnBadLine::skip, "skip"}};

}  // namespace gladius
