// Regular expressions of a suite.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace gladius::train {

/// An expression of PCRE2 over UTF-8; `\d`, `\w` and `\b` know Unicode. A cheap handle.
class Pattern {
 public:
  /// FormatError for what is no such expression.
  explicit Pattern(const std::string& expression);

  /// Whether it matches anywhere in the text (^ and $ bind it to the ends). A text that it would
  /// take more than a bounded number of steps on is not matched.
  bool matches(std::string_view text) const;

  const std::string& expression() const { return expression_; }

 private:
  struct Code;
  std::string expression_;
  std::shared_ptr<const Code> code_;
};

}  // namespace gladius::train
