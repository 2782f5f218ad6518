#include "gladius/models/tokenizer/oniguruma.h"

#include <fmt/core.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::text {
namespace {

// The libraries' classes differ: PCRE2's \s has U+180E, its \w is letters, numbers and "_" only;
// Oniguruma's \w has the superscripts and fractions of Latin-1 too.
constexpr std::string_view kSpace = R"(\p{White_Space})";
constexpr std::string_view kNotSpace = R"(\P{White_Space})";
constexpr std::string_view kWord =
    R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (pos_ < pattern_.size()) {
      switch (const char c = pattern_[pos_]) {
        case '\\':
          escape(/*in_class=*/false);
          break;
        case '[':
          bracket();
          break;
        case '(':
          group();
          break;
        case '{':
          interval();
          break;
        default:
          out_ += c;
          ++pos_;
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::size_t length) const {
    throw ConfigError(fmt::format(
        "tokenizer: the regular expression {} has \"{}\" (at byte {}), which is not supported",
        shortened(pattern_), shortened(pattern_.substr(pos_, length)), pos_));
  }

  bool at(std::string_view text, std::size_t ahead = 0) const {
    return pos_ + ahead <= pattern_.size() && pattern_.substr(pos_ + ahead).starts_with(text);
  }

  void copy(std::size_t length) {
    out_ += pattern_.substr(pos_, length);
    pos_ += length;
  }

  void put(std::string_view text, std::size_t consumed) {
    out_ += text;
    pos_ += consumed;
  }

  void escape(bool in_class) {
    const char c = pos_ + 1 < pattern_.size() ? pattern_[pos_ + 1] : '\0';
    const auto ascii_punctuation = [](char p) {
      return (p >= '!' && p <= '/') || (p >= ':' && p <= '@') || (p >= '[' && p <= '`') ||
             (p >= '{' && p <= '~') || p == ' ';
    };
    if (c == 's') return put(kSpace, 2);
    if (c == 'S') return put(kNotSpace, 2);
    if (c == 'w') return put(in_class ? std::string(kWord) : fmt::format("[{}]", kWord), 2);
    if (c == 'W' && !in_class) return put(fmt::format("[^{}]", kWord), 2);
    if (c == 'v') return put("\\x0B", 2);
    if (c == 'p' || c == 'P') return braces();
    if (c == 'x') return at("{", 2) ? braces() : hexadecimal(2, "\\x");
    if (c == 'u') return hexadecimal(4, "\\x");
    if (std::string_view("rntfadDe").find(c) != std::string_view::npos || ascii_punctuation(c)) {
      return copy(2);
    }
    refuse(2);
  }

  void braces() {
    const std::size_t end = pattern_.find('}', pos_);
    if (!at("{", 2) || end == std::string_view::npos) refuse(3);
    copy(end + 1 - pos_);
  }

  void hexadecimal(std::size_t digits, std::string_view prefix) {
    const std::string_view value = pattern_.substr(pos_ + 2, digits);
    if (value.size() < digits ||
        value.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      refuse(2 + digits);
    }
    put(fmt::format("{}{{{}}}", prefix, value), 2 + digits);
  }

  void bracket() {
    copy(1);
    if (at("^")) copy(1);
    for (bool first = true; !at("]"); first = false) {
      if (pos_ >= pattern_.size() || at("[") || at("&&") || (at("-]") && first)) refuse(2);
      at("\\") ? escape(/*in_class=*/true) : copy(1);
    }
    copy(1);
  }

  void group() {
    if (!at("(?")) return copy(1);
    for (const std::string_view kind : {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) {
      if (at(kind)) return copy(kind.size());
    }
    refuse(4);
  }

  void interval() {
    std::size_t end = pos_ + 1;
    while (end < pattern_.size() && pattern_[end] >= '0' && pattern_[end] <= '9') ++end;
    const bool has_least = end > pos_ + 1;
    if (end < pattern_.size() && pattern_[end] == ',') ++end;
    while (end < pattern_.size() && pattern_[end] >= '0' && pattern_[end] <= '9') ++end;
    // {n}+ is a second repeat in Ruby's syntax, but possessive in PCRE2's.
    if (!has_least || end >= pattern_.size() || pattern_[end] != '}' || at("+", end + 1 - pos_)) {
      refuse(end + 2 - pos_);
    }
    copy(end + 1 - pos_);
  }

  std::string_view pattern_;
  std::size_t pos_ = 0;
  std::string out_;
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace gladius::text
