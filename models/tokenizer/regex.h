// Regular expressions over UTF-8 (PCRE2).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gladius::text {

/// Bytes [begin, end) of a text.
struct TextRange {
  std::size_t begin, end;
};

/// A compiled expression; a cheap handle, threads may share one.
class Regex {
 public:
  /// An expression of a tokenizer.json. ConfigError if it cannot be compiled or can match nothing.
  static Regex from_oniguruma(std::string_view pattern);
  /// Matches `text` (not empty) as it stands.
  static Regex from_literal(std::string_view text);
  /// An expression in PCRE2's own syntax.
  static Regex from_pcre2(std::string_view pattern);

  /// All matches in valid UTF-8, from left to right, none overlapping. Error when the expression
  /// needs more than its bounds of memory and steps on this text.
  std::vector<TextRange> find_all(std::string_view text) const;

 private:
  struct Code;
  Regex(const std::string& pattern, std::string_view shown, unsigned options);
  std::shared_ptr<const Code> code_;
};

}  // namespace gladius::text
