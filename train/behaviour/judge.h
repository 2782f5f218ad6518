// Whether an answer is what its case expects.
#pragma once

#include <optional>
#include <string>

#include "gladius/train/behaviour/suite.h"

namespace gladius::train {

struct Verdict {
  /// A call could be read, or the JSON that a schema is for. True for the other expectations.
  bool parsed = false;
  /// Of expected calls: as many were made, of these names; with these arguments, whatever their
  /// names.
  bool name_right = false, arguments_right = false;
  /// All of it is right.
  bool right = false;
  std::string reason;  // why not; "" if it is
};

/// `output` is UTF-8, as Tokenizer::decode gives it.
Verdict judge(const Case& one, const std::string& output);

/// An answer that is right if any is, built from what the case expects: the ceiling. Nothing where
/// that is not known (a regular expression, some schemas).
std::optional<std::string> right_answer(const Case& one);

/// What is expected, in a line.
std::string describe(const Expectation& expected);

}  // namespace gladius::train
