// Regular expressions as finite automata over characters. For this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gladius/train/constraint/character_set.h"

namespace gladius::train {

/// A nondeterministic automaton of whole texts in which the expression matches somewhere. A state
/// goes on with a character of its set, or without one; some steps hold at the beginning or the end
/// of the text alone.
struct RegularAutomaton {
  struct State {
    CharacterSet set = {};
    std::int32_t next = -1;  // after a character of the set
    std::vector<std::int32_t> free = {}, at_begin = {}, at_end = {};
  };
  std::vector<State> states;
  std::int32_t start = 0, end = 0;  // at `end` anything may follow
};

/// Of an expression that Pattern accepts: characters, `.`, classes, `\d \w \s` and what they are
/// not, `^` and `$`, groups, `|`, and the quantifiers `* + ? {n} {n,} {n,m}`, also lazy ones.
///
/// The dialects of JSON Schema's implementations differ in what classes hold. Of these only what
/// all hold is taken: `\d` and `\w` are ASCII, and so are `\D` and `\W`; `.` is no line end of any
/// kind.
///
/// FormatError naming what is not regular, or not known here: look-around, references, `\b`,
/// `\p{...}`, flags, possessive quantifiers; and for one that would have too many states.
RegularAutomaton regular_automaton(const std::string& expression);

}  // namespace gladius::train
