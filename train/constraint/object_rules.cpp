#include "gladius/train/constraint/object_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

std::uint64_t bit_of(std::size_t member) { return std::uint64_t{1} << member; }

std::int64_t count(std::uint64_t bits) { return std::popcount(bits); }

// Names that differ for sure.
std::int64_t distinct(Members so_far) { return count(so_far.used) + (so_far.others > 0 ? 1 : 0); }

// The members that are needed beside the required ones.
std::int64_t needed(const ObjectRule& rule, Members so_far) {
  const std::int64_t required = count(rule.required & ~so_far.used);
  return std::max<std::int64_t>(0, rule.least - distinct(so_far) - required);
}

// The costs, with a comma each, of the members that have to come: of those that are not required
// the cheapest. kNever if there are not enough.
std::int64_t cost_of_needed(const ObjectRule& rule, Members so_far) {
  std::int64_t cost = 0;
  std::vector<std::int64_t> optional;
  for (std::size_t i = 0; i < rule.members.size(); ++i) {
    if ((rule.possible & ~so_far.used & bit_of(i)) == 0) continue;
    const std::int64_t own = 1 + cost_of_member(rule.members[i]);
    if (rule.members[i].required) {
      cost += own;
    } else {
      optional.push_back(own);
    }
  }
  if (!rule.others.empty() && so_far.others == 0) optional.push_back(1 + cost_of_other(rule));
  const std::int64_t more = needed(rule, so_far);
  if (more > std::ssize(optional)) return kNever;
  std::ranges::sort(optional);
  for (std::int64_t i = 0; i < more; ++i) cost += optional[static_cast<std::size_t>(i)];
  return cost;
}

void add_name(ObjectRule& rule, std::size_t member) {
  std::uint32_t at = 0;
  for (const char c : rule.members[member].name) {
    const auto byte = static_cast<unsigned char>(c);
    rule.names[at].reach |= bit_of(member);
    std::uint32_t next = follow(rule.names[at].next, byte);
    if (next == kNoEdge) {
      next = static_cast<std::uint32_t>(rule.names.size());
      Edges& edges = rule.names[at].next;
      edges.insert(std::ranges::upper_bound(edges, std::pair(byte, std::uint32_t{0})),
                   {byte, next});
      const std::int32_t depth = rule.names[at].depth + 1;
      rule.names.push_back({.depth = depth});
    }
    at = next;
  }
  rule.names[at].reach |= bit_of(member);
  rule.names[at].member = static_cast<std::int32_t>(member);
}

}  // namespace

void complete(ObjectRule& rule) {
  if (rule.members.size() > ObjectRule::kMostMembers) {
    throw FormatError(fmt::format("{} properties; an answer is constrained to at most {}",
                                  rule.members.size(), ObjectRule::kMostMembers));
  }
  rule.names.assign(1, {});
  for (std::size_t i = 0; i < rule.members.size(); ++i) {
    add_name(rule, i);
    if (rule.members[i].required) rule.required |= bit_of(i);
    if (!rule.members[i].value.empty()) rule.possible |= bit_of(i);
  }
  // With one character more where "" is a member's name: some character begins none of theirs.
  rule.other_name = follow(rule.names[0].next, '"') == kNoEdge ? 2 : 3;
}

Members with_member(Members so_far, std::uint32_t member) {
  so_far.used |= bit_of(member);
  return so_far;
}

Members with_other(const ObjectRule& rule, Members so_far) {
  ++so_far.others;
  if (rule.most == kUnbounded) so_far.others = 1;
  return so_far;
}

bool can_end(const ObjectRule& rule, Members so_far) {
  const std::int64_t room = rule.most - count(so_far.used) - so_far.others;
  const std::int64_t required = count(rule.required & ~so_far.used);
  if (required > room) return false;
  const bool other = !rule.others.empty() && so_far.others == 0;
  const std::int64_t left = count(rule.possible & ~so_far.used) + (other ? 1 : 0);
  return distinct(so_far) + std::min(room, left) >= rule.least;
}

bool may_end(const ObjectRule& rule, Members so_far) {
  return (rule.required & ~so_far.used) == 0 && distinct(so_far) >= rule.least;
}

std::uint64_t next_members(const ObjectRule& rule, Members so_far) {
  std::uint64_t next = 0;
  for (std::uint32_t i = 0; i < rule.members.size(); ++i) {
    if ((rule.possible & ~so_far.used & bit_of(i)) == 0) continue;
    // In order: none behind it has come, and none before it is missing.
    if (rule.in_order &&
        (so_far.used >> i != 0 || (rule.required & ~so_far.used & (bit_of(i) - 1)) != 0)) {
      continue;
    }
    if (can_end(rule, with_member(so_far, i))) next |= bit_of(i);
  }
  return next;
}

bool may_have_other(const ObjectRule& rule, Members so_far) {
  return !rule.others.empty() && can_end(rule, with_other(rule, so_far)) &&
         count(so_far.used) + so_far.others < rule.most;
}

std::int64_t cost_after(const ObjectRule& rule, Members so_far) {
  return std::min(kNever, cost_of_needed(rule, so_far) + 1);
}

std::int64_t cost_before_name(const ObjectRule& rule, Members so_far) {
  const std::int64_t cost = cost_of_needed(rule, so_far);
  if (cost > 0) return cost;  // a comma less, a brace more
  std::int64_t cheapest = may_have_other(rule, so_far) ? cost_of_other(rule) : kNever;
  const std::uint64_t next = next_members(rule, so_far);
  for (std::size_t i = 0; i < rule.members.size(); ++i) {
    if ((next & bit_of(i)) != 0) cheapest = std::min(cheapest, cost_of_member(rule.members[i]));
  }
  return std::min(kNever, cheapest + 1);
}

std::int64_t cost_of_inside(const ObjectRule& rule) {
  const std::int64_t cost = cost_of_needed(rule, {});
  return cost > 0 ? cost : 1;
}

std::int64_t cost_of_member(const Member& member) {
  return std::ssize(member.name) + 2 + member.value_cost;
}

std::int64_t cost_of_other(const ObjectRule& rule) { return rule.other_name + 1 + rule.other_cost; }

}  // namespace gladius::train
