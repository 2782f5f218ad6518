#include "gladius/train/constraint/regular_expression.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/utf8.h"

namespace gladius::train {
namespace {

constexpr std::size_t kMostExpressionStates = 4'000;
constexpr std::int64_t kMostRepeats = 1'000;
constexpr int kDeepestGroup = 100;

// A class of which dialects have different ideas: what all of them hold to be in it, and any.
struct Letters {
  CharacterSet surely, perhaps;

  static Letters exactly(const CharacterSet& set) { return {set, set}; }
  Letters inverse() const { return {perhaps.complement(), surely.complement()}; }
  void add(const Letters& other) {
    surely.add(other.surely);
    perhaps.add(other.perhaps);
  }
};

CharacterSet beyond_ascii() { return {{0x80, CharacterSet::kLast}}; }

Letters with_others_perhaps(const CharacterSet& ascii) {
  Letters letters = Letters::exactly(ascii);
  letters.perhaps.add(beyond_ascii());
  return letters;
}

Letters white_space() {
  const CharacterSet surely{{'\t', '\r'}, {' ', ' '}};
  Letters letters = Letters::exactly(surely);
  letters.perhaps.add({{0x1C, 0x1F},
                       {0x85, 0x85},
                       {0xA0, 0xA0},
                       {0x1680, 0x1680},
                       {0x180E, 0x180E},
                       {0x2000, 0x200F},
                       {0x2028, 0x202F},
                       {0x205F, 0x2060},
                       {0x3000, 0x3000},
                       {0xFEFF, 0xFEFF}});
  return letters;
}

// \d and so on; nothing for another letter.
std::optional<Letters> class_of(char32_t letter) {
  const CharacterSet digits{{'0', '9'}}, words{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  switch (letter) {
    case 'd':
      return with_others_perhaps(digits);
    case 'D':
      return with_others_perhaps(digits).inverse();
    case 'w':
      return with_others_perhaps(words);
    case 'W':
      return with_others_perhaps(words).inverse();
    case 's':
      return white_space();
    case 'S':
      return white_space().inverse();
    default:
      return std::nullopt;
  }
}

// What an expression is made of.
struct Part {
  enum class Kind { set, begin, end, sequence, choice, repeat };
  Kind kind = Kind::sequence;
  CharacterSet set = {};
  std::vector<Part> parts = {};
  std::int64_t least = 0, most = 0;  // most < 0: any number
};

class ExpressionParser {
 public:
  explicit ExpressionParser(std::u32string text) : text_(std::move(text)) {}

  Part parse() {
    Part part = choice();
    if (at_ < text_.size()) refuse("a ) without its (");
    return part;
  }

 private:
  [[noreturn]] static void refuse(const std::string& what) {
    throw FormatError(fmt::format("an answer cannot be constrained to {}", what));
  }
  bool has(std::u32string_view mark) const {
    return std::u32string_view(text_).substr(at_).starts_with(mark);
  }
  bool take(std::u32string_view mark) {
    if (!has(mark)) return false;
    at_ += mark.size();
    return true;
  }
  char32_t next() {
    if (at_ == text_.size()) refuse("an expression that ends in the midst");
    return text_[at_++];
  }

  Part choice() {
    if (++depth_ > kDeepestGroup) refuse("groups that are nested so deep");
    Part part{.kind = Part::Kind::choice};
    do {
      part.parts.push_back(sequence());
    } while (take(U"|"));
    --depth_;
    return part.parts.size() == 1 ? std::move(part.parts.front()) : part;
  }

  Part sequence() {
    Part part{.kind = Part::Kind::sequence};
    while (at_ < text_.size() && !has(U"|") && !has(U")")) part.parts.push_back(repeated());
    return part;
  }

  Part repeated() {
    Part part = single();
    const auto bounds = quantifier();
    if (!bounds) return part;
    if (has(U"+")) refuse("a possessive quantifier");
    take(U"?");
    if (has(U"*") || has(U"+") || has(U"?")) refuse("a quantifier of a quantifier");
    Part repeat{.kind = Part::Kind::repeat, .least = bounds->first, .most = bounds->second};
    repeat.parts.push_back(std::move(part));
    return repeat;
  }

  std::optional<std::pair<std::int64_t, std::int64_t>> quantifier() {
    if (take(U"*")) return std::pair(0, -1);
    if (take(U"+")) return std::pair(1, -1);
    if (take(U"?")) return std::pair(0, 1);
    if (!has(U"{")) return std::nullopt;
    const std::size_t begin = at_++;
    const auto least = number();
    auto most = least;
    if (take(U",")) {
      if (!least) refuse("a quantifier {,n}");
      most = has(U"}") ? std::optional<std::int64_t>(-1) : number();
    }
    if (least && most && take(U"}")) return std::pair(*least, *most);
    at_ = begin;  // the character itself
    return std::nullopt;
  }

  std::optional<std::int64_t> number() {
    std::optional<std::int64_t> value;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      value = value.value_or(0) * 10 + static_cast<std::int64_t>(text_[at_++] - '0');
      if (*value > kMostRepeats) refuse(fmt::format("more than {} repeats", kMostRepeats));
    }
    return value;
  }

  static Part of_set(CharacterSet set) { return {.kind = Part::Kind::set, .set = std::move(set)}; }

  Part single() {
    const char32_t c = next();
    switch (c) {
      case '^':
        return {.kind = Part::Kind::begin};
      case '$':
        return {.kind = Part::Kind::end};
      case '.':
        return of_set(CharacterSet{{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}}.complement());
      case '(':
        return group();
      case '[':
        return of_set(bracketed().surely);
      case '\\':
        return of_set(escaped(/*in_class=*/false).surely);
      case '*':
      case '+':
      case '?':
        refuse("a quantifier of nothing");
      default:
        return of_set({{c, c}});
    }
  }

  Part group() {
    if (has(U"?=") || has(U"?!") || has(U"?<=") || has(U"?<!"))
      refuse("a look-around (?=, ?!, ?<)");
    if (take(U"?<") || take(U"?P<")) {
      while (next() != '>') {
      }
    } else if (!take(U"?:") && has(U"?")) {
      refuse("a group with flags or the like (?");
    }
    if (has(U"*")) refuse("a verb (*");
    Part part = choice();
    if (!take(U")")) refuse("a ( without its )");
    return part;
  }

  // Behind a backslash.
  Letters escaped(bool in_class) {
    const char32_t c = next();
    if (const auto letters = class_of(c)) return *letters;
    const auto one = [](char32_t character) { return Letters::exactly({{character, character}}); };
    switch (c) {
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 'f':
        return one('\f');
      case 'x':
        return one(two_digits());
      case 'b':
        if (in_class) return one('\b');
        break;
      default:
        break;
    }
    if (c >= '0' && c <= '9') refuse(fmt::format("\\{}, a reference or an octal", char(c)));
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) refuse(fmt::format("\\{}", char(c)));
    return one(c);
  }

  char32_t two_digits() {
    char32_t value = 0;
    for (int i = 0; i < 2; ++i) {
      const char32_t c = next();
      const auto digit =
          std::u32string_view(U"0123456789abcdef").find(c >= 'A' && c <= 'F' ? c + 32 : c);
      if (digit == std::u32string_view::npos) refuse("\\x without two digits");
      value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
  }

  // Behind the bracket.
  Letters bracketed() {
    const bool inverse = take(U"^");
    if (has(U"]")) refuse("a class that begins with ]");
    Letters letters;
    while (!take(U"]")) {
      const auto first = class_character(letters);
      if (!has(U"-") || has(U"-]")) continue;
      take(U"-");
      Letters end;
      const auto last = class_character(end);
      if (!first || !last) refuse("a range of classes");
      if (*last < *first) refuse("a range that ends before it begins");
      letters.add(Letters::exactly({{*first, *last}}));
    }
    return inverse ? letters.inverse() : letters;
  }

  // Adds one, or a class; says which one.
  std::optional<char32_t> class_character(Letters& letters) {
    if (has(U"[:") || has(U"[.") || has(U"[=")) refuse("a class [:name:]");
    const char32_t c = next();
    const Letters added = c == '\\' ? escaped(/*in_class=*/true) : Letters::exactly({{c, c}});
    letters.add(added);
    const auto& ranges = added.surely.ranges();
    const bool single = ranges.size() == 1 && ranges[0].first == ranges[0].last;
    return single ? std::optional(ranges[0].first) : std::nullopt;
  }

  std::u32string text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

class ExpressionBuilder {
 public:
  explicit ExpressionBuilder(RegularAutomaton& automaton) : automaton_(automaton) {}

  std::int32_t add_state(CharacterSet set = {}) {
    if (automaton_.states.size() == kMostExpressionStates) {
      throw FormatError(
          fmt::format("an answer cannot be constrained to an expression of more than "
                      "{} states",
                      kMostExpressionStates));
    }
    automaton_.states.push_back({.set = std::move(set)});
    return static_cast<std::int32_t>(automaton_.states.size() - 1);
  }
  RegularAutomaton::State& state(std::int32_t id) {
    return automaton_.states[static_cast<std::size_t>(id)];
  }

  // From a state; returns where the part ends.
  std::int32_t build(const Part& part, std::int32_t from) {
    switch (part.kind) {
      case Part::Kind::sequence:
        for (const Part& one : part.parts) from = build(one, from);
        return from;
      case Part::Kind::choice:
        return build_choice(part, from);
      case Part::Kind::repeat:
        return build_repeat(part, from);
      default:
        return build_single(part, from);
    }
  }

 private:
  std::int32_t build_single(const Part& part, std::int32_t from) {
    const std::int32_t to = add_state();
    if (part.kind == Part::Kind::begin) {
      state(from).at_begin.push_back(to);
    } else if (part.kind == Part::Kind::end) {
      state(from).at_end.push_back(to);
    } else {
      const std::int32_t reader = add_state(part.set);
      state(reader).next = to;
      state(from).free.push_back(reader);
    }
    return to;
  }

  std::int32_t build_choice(const Part& part, std::int32_t from) {
    std::vector<std::int32_t> ends;
    for (const Part& one : part.parts) {
      const std::int32_t begin = add_state();
      state(from).free.push_back(begin);
      ends.push_back(build(one, begin));
    }
    const std::int32_t to = add_state();
    for (const std::int32_t end : ends) state(end).free.push_back(to);
    return to;
  }

  std::int32_t build_repeat(const Part& part, std::int32_t from) {
    const Part& one = part.parts.front();
    for (std::int64_t i = 0; i < part.least; ++i) from = build(one, from);
    if (part.most < 0) {
      const std::int32_t loop = add_state();
      state(from).free.push_back(loop);
      const std::int32_t end = build(one, loop);
      state(end).free.push_back(loop);
      return loop;
    }
    std::vector<std::int32_t> ends{from};
    for (std::int64_t i = part.least; i < part.most; ++i) {
      from = build(one, from);
      ends.push_back(from);
    }
    const std::int32_t to = add_state();
    for (const std::int32_t end : ends) state(end).free.push_back(to);
    return to;
  }

  RegularAutomaton& automaton_;
};

std::u32string decoded(const std::string& text) {
  std::u32string characters;
  for (std::size_t at = 0; at < text.size(); at += utf8::char_length(text[at])) {
    characters += utf8::code_point(text, at);
  }
  return characters;
}

}  // namespace

RegularAutomaton regular_automaton(const std::string& expression) {
  try {
    const Part part = ExpressionParser(decoded(expression)).parse();
    RegularAutomaton automaton;
    ExpressionBuilder builder(automaton);
    automaton.start = builder.add_state(CharacterSet::all());
    builder.state(automaton.start).next = automaton.start;
    automaton.end = builder.build(part, automaton.start);
    // The match ends; what follows it is anything.
    const std::int32_t rest = builder.add_state(CharacterSet::all());
    builder.state(rest).next = rest;
    builder.state(automaton.end).free.push_back(rest);
    automaton.end = rest;
    return automaton;
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("\"pattern\" {}: {}", in_quotes(expression), error.what()));
  }
}

}  // namespace gladius::train
