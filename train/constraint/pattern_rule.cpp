#include "gladius/train/constraint/pattern_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/constraint/regular_expression.h"

namespace gladius::train {
namespace {

using StateIds = std::vector<std::int32_t>;

constexpr std::size_t kMostPatternStates = 20'000;
constexpr std::string_view kHexDigits = "0123456789abcdef";

// Characters that lead to a state of the rule.
struct Step {
  char32_t first, last;
  std::uint32_t target;
  auto operator<=>(const Step&) const = default;
};
using Steps = std::vector<Step>;  // apart from each other, in order

// Of the characters from `base` on, as their distances from it.
Steps within(const Steps& steps, char32_t base, char32_t first, char32_t last) {
  Steps inside;
  for (const Step& step : steps) {
    const char32_t low = std::max(step.first, first), high = std::min(step.last, last);
    if (low <= high) inside.push_back({low - base, high - base, step.target});
  }
  return inside;
}

const std::uint32_t* find_target(const Steps& steps, char32_t character) {
  for (const Step& step : steps) {
    if (step.first <= character && character <= step.last) return &step.target;
  }
  return nullptr;
}

// Where a text is between two characters.
struct TextPlace {
  StateIds states = {};  // of the expression's automaton
  std::int64_t count = 0;
  bool begins = true, after_less = false;  // behind a <, where / is escaped
  auto operator<=>(const TextPlace&) const = default;
};

class PatternRule {
 public:
  PatternRule(const std::string& expression, std::int64_t least, std::int64_t most)
      : expression_(expression),
        automaton_(regular_automaton(expression)),
        least_(least),
        most_(most) {}

  LeafRule make() {
    const std::uint32_t begin = add_state(), end = add_state();
    rule_.states[end].rest = 0;
    TextPlace start;
    start.states = closure({automaton_.start}, /*begins=*/true, /*ends=*/false);
    add_edge(begin, '"', index_of(start));
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const TextPlace place = places_[i];  // a copy, as more are added
      const std::uint32_t at = indices_.at(place);
      const Steps steps = steps_from(place);
      if (is_match(place)) add_edge(at, '"', end);
      add_ascii(at, steps, place.after_less);
      add_escapes(at, steps, place.after_less);
      add_longer(at, steps);
    }
    for (LeafRule::State& state : rule_.states) std::ranges::sort(state.next);
    prune(rule_);
    if (rule_.states.front().rest >= kNever) rule_.states.clear();
    return std::move(rule_);
  }

 private:
  std::uint32_t add_state() {
    if (rule_.states.size() == kMostPatternStates) {
      throw FormatError(fmt::format(
          "\"pattern\" {}: an answer cannot be constrained to it, as it takes more than "
          "{} states",
          in_quotes(expression_), kMostPatternStates));
    }
    rule_.states.emplace_back();
    return static_cast<std::uint32_t>(rule_.states.size() - 1);
  }
  void add_edge(std::uint32_t from, int byte, std::uint32_t to) {
    rule_.states[from].next.emplace_back(static_cast<unsigned char>(byte), to);
  }

  // What can be reached without a character, these included. Where the match has ended, anything
  // goes, and nothing else matters.
  StateIds closure(StateIds open, bool begins, bool ends) const {
    StateIds reached;
    std::vector<bool> seen(automaton_.states.size());
    while (!open.empty()) {
      const auto id = static_cast<std::size_t>(open.back());
      open.pop_back();
      if (seen[id]) continue;
      seen[id] = true;
      reached.push_back(static_cast<std::int32_t>(id));
      const RegularAutomaton::State& state = automaton_.states[id];
      open.insert(open.end(), state.free.begin(), state.free.end());
      if (begins) open.insert(open.end(), state.at_begin.begin(), state.at_begin.end());
      if (ends) open.insert(open.end(), state.at_end.begin(), state.at_end.end());
    }
    if (seen[static_cast<std::size_t>(automaton_.end)]) return {automaton_.end};
    std::ranges::sort(reached);
    return reached;
  }

  bool is_match(const TextPlace& place) const {
    if (place.count < least_) return false;
    const StateIds at_end = closure(place.states, place.begins, /*ends=*/true);
    return at_end == StateIds{automaton_.end};
  }

  // Those that matter not beyond the least number are not told apart.
  std::int64_t after(std::int64_t count) const {
    return most_ >= kUnbounded ? std::min(count + 1, least_) : count + 1;
  }

  std::uint32_t index_of(const TextPlace& place) {
    const auto [known, added] = indices_.try_emplace(place, 0);
    if (added) {
      known->second = add_state();
      places_.push_back(place);
    }
    return known->second;
  }

  Steps steps_from(const TextPlace& place) {
    Steps steps;
    if (place.count >= most_ && most_ < kUnbounded) return steps;
    // Where the states that are reached may change.
    std::vector<char32_t> borders{'<', '<' + 1};
    for (const std::int32_t id : place.states) {
      for (const auto& range : automaton_.states[static_cast<std::size_t>(id)].set.ranges()) {
        borders.push_back(range.first);
        borders.push_back(range.last + 1);
      }
    }
    std::ranges::sort(borders);
    borders.erase(std::ranges::unique(borders).begin(), borders.end());
    for (std::size_t i = 0; i + 1 < borders.size(); ++i) {
      StateIds next;
      for (const std::int32_t id : place.states) {
        const RegularAutomaton::State& state = automaton_.states[static_cast<std::size_t>(id)];
        if (state.next >= 0 && state.set.contains(borders[i])) next.push_back(state.next);
      }
      if (next.empty()) continue;
      TextPlace reached;
      reached.states = closure(std::move(next), /*begins=*/false, /*ends=*/false);
      reached.count = after(place.count);
      reached.begins = false;
      reached.after_less = borders[i] == '<';
      const std::uint32_t target = index_of(reached);
      if (!steps.empty() && steps.back().target == target && steps.back().last + 1 == borders[i]) {
        steps.back().last = borders[i + 1] - 1;
      } else {
        steps.push_back({borders[i], borders[i + 1] - 1, target});
      }
    }
    return steps;
  }

  void add_ascii(std::uint32_t at, const Steps& steps, bool after_less) {
    for (const Step& step : within(steps, 0, 0x20, 0x7F)) {
      for (char32_t c = step.first; c <= step.last; ++c) {
        const bool escaped = c == '"' || c == '\\' || (c == '/' && after_less);
        if (!escaped) add_edge(at, static_cast<int>(c), step.target);
      }
    }
  }

  void add_escapes(std::uint32_t at, const Steps& steps, bool after_less) {
    constexpr std::pair<char, char32_t> kLetters[] = {{'"', '"'},  {'\\', '\\'}, {'b', '\b'},
                                                      {'f', '\f'}, {'n', '\n'},  {'r', '\r'},
                                                      {'t', '\t'}, {'/', '/'}};
    Edges edges;
    for (const auto& [letter, character] : kLetters) {
      const std::uint32_t* const target = find_target(steps, character);
      if (target == nullptr || (letter == '/' && !after_less)) continue;
      edges.emplace_back(static_cast<unsigned char>(letter), *target);
    }
    Steps controls;
    for (const Step& step : within(steps, 0, 0, 0x1F)) {
      for (char32_t c = step.first; c <= step.last; ++c) {
        const bool has_letter =
            std::ranges::count(kLetters, c, [](auto l) { return l.second; }) > 0;
        if (!has_letter) controls.push_back({c, c, step.target});
      }
    }
    if (!controls.empty()) edges.emplace_back('u', add_code(controls));
    if (edges.empty()) return;
    const std::uint32_t escape = add_state();
    add_edge(at, '\\', escape);
    rule_.states[escape].next = std::move(edges);
  }

  // "0000" to "001f", behind \u.
  std::uint32_t add_code(const Steps& controls) {
    const std::uint32_t first = add_state(), second = add_state(), third = add_state();
    add_edge(first, '0', second);
    add_edge(second, '0', third);
    for (const char32_t high : {0U, 1U}) {
      const Steps half = within(controls, high * 16, high * 16, high * 16 + 15);
      if (half.empty()) continue;
      const std::uint32_t fourth = add_state();
      add_edge(third, high == 0 ? '0' : '1', fourth);
      for (const Step& step : half) add_edge(fourth, kHexDigits[step.first], step.target);
    }
    return first;
  }

  // UTF-8 of several bytes.
  void add_longer(std::uint32_t at, const Steps& steps) {
    const auto add = [&](int lead, int rest, char32_t base, char32_t least) {
      const char32_t last =
          std::min<char32_t>(base + (char32_t{1} << (6 * rest)) - 1, CharacterSet::kLast);
      const Steps inside = within(steps, base, std::max(base, least), last);
      if (!inside.empty()) add_edge(at, lead, rest_of_character(rest, inside));
    };
    for (int lead = 0xC2; lead <= 0xDF; ++lead) {
      add(lead, 1, static_cast<char32_t>(lead & 0x1F) << 6, 0x80);
    }
    for (int lead = 0xE0; lead <= 0xEF; ++lead) {
      add(lead, 2, static_cast<char32_t>(lead & 0x0F) << 12, 0x800);
    }
    for (int lead = 0xF0; lead <= 0xF4; ++lead) {
      add(lead, 3, static_cast<char32_t>(lead & 0x07) << 18, 0x10000);
    }
  }

  // Equal ones are one state.
  std::uint32_t rest_of_character(int bytes, const Steps& steps) {
    const auto key = std::pair(bytes, steps);
    if (const auto known = rests_.find(key); known != rests_.end()) return known->second;
    const std::uint32_t state = add_state();
    rests_.emplace(key, state);
    const int bits = 6 * (bytes - 1);
    for (char32_t byte = 0; byte < 64; ++byte) {
      const char32_t base = byte << bits;
      const Steps inside = within(steps, base, base, base + (char32_t{1} << bits) - 1);
      if (inside.empty()) continue;
      add_edge(state, static_cast<int>(0x80 | byte),
               bytes == 1 ? inside.front().target : rest_of_character(bytes - 1, inside));
    }
    return state;
  }

  const std::string& expression_;
  RegularAutomaton automaton_;
  std::int64_t least_, most_;
  LeafRule rule_;
  std::vector<TextPlace> places_;
  std::map<TextPlace, std::uint32_t> indices_;
  std::map<std::pair<int, Steps>, std::uint32_t> rests_;
};

}  // namespace

LeafRule pattern_rule(const std::string& expression, std::int64_t least, std::int64_t most) {
  return PatternRule(expression, least, most).make();
}

}  // namespace gladius::train
