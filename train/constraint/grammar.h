// What a constrained answer may be: a grammar over bytes.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gladius::train {

using NodeId = std::uint32_t;
/// A text of any one of these nodes; of none of them: no text.
using Choice = std::vector<NodeId>;

/// The cost, in bytes, of what no text is. Costs that are none stay below kMostCost.
inline constexpr std::int64_t kNever = std::int64_t{1} << 40;
/// The longest text that a grammar may ask for at least.
inline constexpr std::int64_t kMostCost = 10'000;
/// Of numbers of characters, items and members.
inline constexpr std::int64_t kUnbounded = kNever;

/// What follows on each byte, sorted by it.
using Edges = std::vector<std::pair<unsigned char, std::uint32_t>>;
inline constexpr std::uint32_t kNoEdge = UINT32_MAX;
/// Where the byte leads, or kNoEdge.
std::uint32_t follow(const Edges& edges, unsigned char byte);

/// One of finitely many texts, or a number: an automaton whose every state leads to an end.
struct LeafRule {
  struct State {
    Edges next;
    std::int64_t rest = kNever;  // bytes to the nearest end
  };
  std::vector<State> states;  // the first is where it begins
};

/// A string of so many characters.
struct StringRule {
  std::int64_t least = 0, most = kUnbounded;
};

struct ArrayRule {
  Choice items;
  std::int64_t least = 0, most = kUnbounded;
  std::int64_t item_cost = kNever;
  /// Holds any values: such ones lie in each other to a bounded depth.
  bool any = false;
};

/// A node of the tree of an object's names, written as after their first quotation mark.
struct NamePlace {
  Edges next = {};
  std::uint64_t reach = 0;   // the members whose names go through here, a bit each
  std::int32_t member = -1;  // the one whose name ends here
  std::int32_t depth = 0;
};

struct Member {
  std::string name;  // as written, without the first quotation mark
  Choice value;
  std::int64_t value_cost = kNever;
  bool required = false;
};

struct ObjectRule {
  static constexpr std::size_t kMostMembers = 64;

  std::vector<Member> members = {};
  Choice others = {};  // the values of members of other names
  std::int64_t other_cost = kNever;
  std::int64_t least = 0, most = kUnbounded;
  bool in_order = false;  // members come as they are listed
  bool any = false;       // as ArrayRule::any

  // Of the above, by complete().
  std::vector<NamePlace> names = {};
  std::uint64_t required = 0, possible = 0;  // members, a bit each
  std::int64_t other_name = 2;  // bytes of the shortest other name, with its quotation marks
};

/// One after another.
struct SequenceRule {
  std::vector<Choice> parts;
};

/// White space, before what lies below it on the stack.
struct SpaceRule {};

using Rule = std::variant<SpaceRule, LeafRule, StringRule, ArrayRule, ObjectRule, SequenceRule>;

/// Every node can be written: what cannot is left out where the grammar is made.
class Grammar {
 public:
  static constexpr NodeId kSpace = 0;

  Grammar();

  /// The node as a choice; the empty one where no text fits it. FormatError for a rule that asks
  /// for more than kMostCost bytes, and for too many nodes.
  Choice add(Rule rule);
  /// The next node's.
  NodeId size() const { return static_cast<NodeId>(rules_.size()); }
  const Rule& rule(NodeId node) const { return rules_[node]; }
  /// The fewest bytes.
  std::int64_t cost(NodeId node) const { return costs_[node]; }
  std::int64_t cost(const Choice& choice) const;
  /// Bytes of names, constants and numbers.
  const std::bitset<256>& literal_bytes() const { return literal_bytes_; }

  Choice root;

 private:
  std::int64_t cost_of(const Rule& rule) const;
  void add_literal_bytes(const Rule& rule);

  std::vector<Rule> rules_;
  std::vector<std::int64_t> costs_;
  std::bitset<256> literal_bytes_;
};

/// The automaton of these texts.
LeafRule leaf_of_texts(const std::vector<std::string>& texts);
/// Fills in LeafRule::State::rest (0 is given for ends) and takes away what leads to no end.
void prune(LeafRule& rule);

}  // namespace gladius::train
