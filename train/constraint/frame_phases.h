// Progress::phase of each kind of node. For this folder.
#pragma once

#include <cstdint>

namespace gladius::train {

/// Strings; kAfterLess is behind a <, where no / may stand.
inline constexpr std::uint8_t kBeforeString = 0, kWithinString = 1, kAfterLess = 2;

/// Arrays: before [, then before an item or ], behind an item, and behind a comma.
inline constexpr std::uint8_t kBeforeArray = 0, kFirstItem = 1, kAfterItem = 2, kNextItem = 3;

/// Objects: before {, then before a name or }, behind a value, behind a comma; within a name of the
/// rule's or another, before the colon, before the value.
inline constexpr std::uint8_t kBeforeObject = 0, kFirstName = 1, kAfterValue = 2, kNextName = 3,
                              kWithinName = 4, kWithinOtherName = 5, kBeforeColon = 6,
                              kBeforeValue = 7;

/// Progress::at: a member of another name, and a name that none of the rule's begins like.
inline constexpr std::uint32_t kOtherMember = UINT32_MAX, kOffNames = UINT32_MAX;

}  // namespace gladius::train
