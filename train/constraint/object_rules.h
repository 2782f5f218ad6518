// Which members an object may still get, and what it costs at least to end it. For this folder.
#pragma once

#include <cstdint>

#include "gladius/train/constraint/grammar.h"

namespace gladius::train {

/// The members so far: those that the rule names, a bit each, and how many others.
struct Members {
  std::uint64_t used = 0;
  std::int64_t others = 0;
};

/// Fills in what follows from the members. FormatError for too many.
void complete(ObjectRule& rule);

Members with_member(Members so_far, std::uint32_t member);
/// With one of another name. The number is kept as far as the rule asks for it.
Members with_other(const ObjectRule& rule, Members so_far);

/// Whether some members that may be added make it a whole object. (An other name may be that of
/// another one before it: only one of them surely counts.)
bool can_end(const ObjectRule& rule, Members so_far);
bool may_end(const ObjectRule& rule, Members so_far);
/// The members that may come next, so that it can still end.
std::uint64_t next_members(const ObjectRule& rule, Members so_far);
bool may_have_other(const ObjectRule& rule, Members so_far);

/// The fewest bytes from after a value to the end, with the brace; kNever where it cannot end.
std::int64_t cost_after(const ObjectRule& rule, Members so_far);
/// The same from before a name, which has to come; and from after the first brace.
std::int64_t cost_before_name(const ObjectRule& rule, Members so_far);
std::int64_t cost_of_inside(const ObjectRule& rule);
/// Of a member without a comma, with its value.
std::int64_t cost_of_member(const Member& member);
std::int64_t cost_of_other(const ObjectRule& rule);

}  // namespace gladius::train
