#include "gladius/train/constraint/grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gladius/tensor/base/error.h"
#include "gladius/train/constraint/object_rules.h"

namespace gladius::train {
namespace {

constexpr std::size_t kMostNodes = 100'000;

std::int64_t sum_up_to_never(double sum) {
  return sum < static_cast<double>(kNever) ? static_cast<std::int64_t>(sum) : kNever;
}

std::int64_t cost_of_array(const ArrayRule& rule) {
  if (rule.least > rule.most || (rule.least > 0 && rule.items.empty())) return kNever;
  const auto least = static_cast<double>(rule.least);
  if (rule.least == 0) return 2;
  return sum_up_to_never(2 + least * static_cast<double>(rule.item_cost) + least - 1);
}

std::int64_t cost_of_object(const ObjectRule& rule) {
  return can_end(rule, {}) ? std::min(kNever, 1 + cost_of_inside(rule)) : kNever;
}

std::int64_t cost_of_string(const StringRule& rule) {
  return rule.least > rule.most ? kNever : 2 + rule.least;
}

// States that lead to the given ones, as edges from those.
std::vector<std::vector<std::uint32_t>> reversed(const LeafRule& rule) {
  std::vector<std::vector<std::uint32_t>> before(rule.states.size());
  for (std::uint32_t at = 0; at < rule.states.size(); ++at) {
    for (const auto& [byte, next] : rule.states[at].next) before[next].push_back(at);
  }
  return before;
}

}  // namespace

std::uint32_t follow(const Edges& edges, unsigned char byte) {
  const auto edge = std::ranges::lower_bound(edges, byte, {}, &Edges::value_type::first);
  return edge != edges.end() && edge->first == byte ? edge->second : kNoEdge;
}

Grammar::Grammar() : rules_{SpaceRule()}, costs_{0} {}

Choice Grammar::add(Rule rule) {
  const std::int64_t cost = cost_of(rule);
  if (cost >= kNever) return {};
  if (cost > kMostCost) {
    throw FormatError(
        fmt::format("asks for a text of at least {} bytes; an answer is constrained to at most {}",
                    cost, kMostCost));
  }
  if (rules_.size() >= kMostNodes) {
    throw FormatError(
        fmt::format("has more than {} parts, to which no answer is constrained", kMostNodes));
  }
  add_literal_bytes(rule);
  rules_.push_back(std::move(rule));
  costs_.push_back(cost);
  return {static_cast<NodeId>(rules_.size() - 1)};
}

void Grammar::add_literal_bytes(const Rule& rule) {
  const auto add = [this](const auto& places) {
    for (const auto& place : places) {
      for (const auto& [byte, next] : place.next) literal_bytes_.set(byte);
    }
  };
  if (const auto* leaf = std::get_if<LeafRule>(&rule)) add(leaf->states);
  if (const auto* object = std::get_if<ObjectRule>(&rule)) add(object->names);
}

std::int64_t Grammar::cost(const Choice& choice) const {
  std::int64_t least = kNever;
  for (const NodeId node : choice) least = std::min(least, costs_[node]);
  return least;
}

std::int64_t Grammar::cost_of(const Rule& rule) const {
  if (const auto* leaf = std::get_if<LeafRule>(&rule)) {
    return leaf->states.empty() ? kNever : leaf->states.front().rest;
  }
  if (const auto* string = std::get_if<StringRule>(&rule)) return cost_of_string(*string);
  if (const auto* array = std::get_if<ArrayRule>(&rule)) return cost_of_array(*array);
  if (const auto* object = std::get_if<ObjectRule>(&rule)) return cost_of_object(*object);
  std::int64_t sum = 0;
  if (const auto* sequence = std::get_if<SequenceRule>(&rule)) {
    for (const Choice& part : sequence->parts) sum = std::min(kNever, sum + cost(part));
  }
  return sum;
}

LeafRule leaf_of_texts(const std::vector<std::string>& texts) {
  LeafRule rule;
  if (texts.empty()) return rule;
  rule.states.emplace_back();
  for (const std::string& text : texts) {
    std::uint32_t at = 0;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      std::uint32_t next = follow(rule.states[at].next, byte);
      if (next == kNoEdge) {
        next = static_cast<std::uint32_t>(rule.states.size());
        Edges& edges = rule.states[at].next;
        edges.insert(std::ranges::upper_bound(edges, std::pair(byte, std::uint32_t{0})),
                     {byte, next});
        rule.states.emplace_back();
      }
      at = next;
    }
    rule.states[at].rest = 0;
  }
  prune(rule);
  return rule;
}

void prune(LeafRule& rule) {
  const auto before = reversed(rule);
  std::vector<std::uint32_t> reached;
  for (std::uint32_t at = 0; at < rule.states.size(); ++at) {
    if (rule.states[at].rest == 0) reached.push_back(at);
  }
  // Breadth first from the ends: the first way that is found is the shortest.
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const std::int64_t rest = rule.states[reached[i]].rest + 1;
    for (const std::uint32_t at : before[reached[i]]) {
      if (rule.states[at].rest <= rest) continue;
      rule.states[at].rest = rest;
      reached.push_back(at);
    }
  }
  for (LeafRule::State& state : rule.states) {
    std::erase_if(state.next,
                  [&](const auto& edge) { return rule.states[edge.second].rest >= kNever; });
  }
}

}  // namespace gladius::train
