// How lines of data become examples.
#pragma once

#include "gladius/tensor/base/enum_names.h"

namespace gladius::train {

/// Which tokens have a label.
enum class LossOn { all, assistant };

/// What becomes of a line that is no example.
enum class OnBadLine { fail, skip };

}  // namespace gladius::train

namespace gladius {

template <>
inline constexpr EnumName<train::LossOn> kEnumNames<train::LossOn>[] = {
    {train::LossOn::all, "all"}, {train::LossOn::assistant, "assistant"}};

template <>
inline constexpr EnumName<train::OnBadLine> kEnumNames<train::OnBadLine>[] = {
    {train::OnBadLine::fail, "fail"}, {train::OnBadLine::skip, "skip"}};

}  // namespace gladius
