#include "gladius/train/behaviour/python_tokens.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "gladius/models/tokenizer/utf8.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kPythonKeywords[] = {
    "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Characters beyond ASCII are taken as letters.
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_in_word(char c) { return is_letter(c) || is_digit(c); }

// Underscores stand between digits alone, or behind 0x.
std::optional<std::string> without_underscores(std::string_view text) {
  const bool decimal = !(text.size() > 1 && text[0] == '0' && is_letter(text[1]));
  const auto is_place = [&](std::size_t at) {
    return at < text.size() && text[at] != '_' && (decimal ? is_digit : is_in_word)(text[at]);
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || !is_place(i - 1) || !is_place(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

template <class Number>
std::optional<Number> parsed(std::string_view text, auto... how) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, how...);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A number beyond 64 bits becomes a double, as in parse_json.
std::optional<Json> whole_number(std::string_view digits, int base, bool negative) {
  if (const auto magnitude = parsed<std::int64_t>(digits, base)) {
    return negative ? -*magnitude : *magnitude;
  }
  if (base != 10 || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  const auto large = parsed<double>(digits);
  return large ? std::optional<Json>(negative ? -*large : *large) : std::nullopt;
}

// The end of a number's text, be it one or not.
std::size_t end_of_number(std::string_view text) {
  std::size_t end = 0;
  const bool decimal = !(text.size() > 1 && text[0] == '0' && is_letter(text[1]) &&
                         text[1] != 'e' && text[1] != 'E');
  while (end < text.size()) {
    const bool sign = decimal && end > 0 && (text[end] == '+' || text[end] == '-') &&
                      (text[end - 1] == 'e' || text[end - 1] == 'E');
    if (!sign && !is_in_word(text[end]) && text[end] != '.') break;
    ++end;
  }
  return end;
}

}  // namespace

void PythonTokens::skip_space() {
  while (at_ < text_.size() && std::string_view(" \t\n\r\f").find(text_[at_]) != text_.npos) ++at_;
}

bool PythonTokens::is_at_number() const {
  const std::string_view rest = text_.substr(at_);
  return !rest.empty() &&
         (is_digit(rest[0]) || (rest[0] == '.' && rest.size() > 1 && is_digit(rest[1])));
}

bool PythonTokens::is_at_text() const {
  std::string_view rest = text_.substr(at_);
  if (!rest.empty() && std::string_view("rRuU").find(rest[0]) != rest.npos) rest.remove_prefix(1);
  return rest.starts_with('"') || rest.starts_with('\'');
}

bool PythonTokens::take(std::string_view mark) {
  if (!text_.substr(at_).starts_with(mark)) return false;
  at_ += mark.size();
  skip_space();
  return true;
}

std::string_view PythonTokens::word() const {
  const std::string_view rest = text_.substr(at_);
  if (rest.empty() || !is_letter(rest[0])) return {};
  const auto end = std::ranges::find_if_not(rest, is_in_word);
  return rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
}

bool PythonTokens::take_word(std::string_view wanted) { return word() == wanted && take(wanted); }

std::optional<std::string> PythonTokens::name() {
  const std::string_view found = word();
  if (found.empty() || std::ranges::count(kPythonKeywords, found) > 0) return std::nullopt;
  take(found);
  return std::string(found);
}

std::optional<Json> PythonTokens::number(bool negative) {
  if (!is_at_number()) return std::nullopt;
  const std::size_t end = end_of_number(text_.substr(at_));
  const auto text = without_underscores(text_.substr(at_, end));
  at_ += end;
  skip_space();
  if (!text) return std::nullopt;
  if (text->size() > 2 && (*text)[0] == '0') {
    const int base = std::string_view("xX").find((*text)[1]) != text->npos   ? 16
                     : std::string_view("oO").find((*text)[1]) != text->npos ? 8
                     : std::string_view("bB").find((*text)[1]) != text->npos ? 2
                                                                             : 10;
    if (base != 10) return whole_number(std::string_view(*text).substr(2), base, negative);
  }
  if (std::ranges::all_of(*text, is_digit)) {
    // 007 is none.
    const bool zeros = text->find_first_not_of('0') == text->npos;
    if (!zeros && (*text)[0] == '0') return std::nullopt;
    return whole_number(*text, 10, negative);
  }
  const auto real = parsed<double>(*text);
  if (!real || !std::isfinite(*real)) return std::nullopt;
  return negative ? -*real : *real;
}

std::optional<Json> PythonTokens::text() {
  std::string out;
  while (is_at_text()) {
    if (!add_literal(out)) return std::nullopt;
    skip_space();
  }
  return out;
}

bool PythonTokens::add_literal(std::string& out) {
  const bool prefixed = text_[at_] != '"' && text_[at_] != '\'';
  const bool raw = prefixed && (text_[at_] == 'r' || text_[at_] == 'R');
  if (prefixed) ++at_;
  std::string_view quote = text_.substr(at_, 1);
  const std::string three(3, quote[0]);
  if (text_.substr(at_).starts_with(three)) quote = text_.substr(at_, 3);
  at_ += quote.size();
  while (at_ < text_.size()) {
    if (text_.substr(at_).starts_with(quote)) {
      at_ += quote.size();
      return true;
    }
    const char c = text_[at_++];
    if ((c == '\n' || c == '\r') && quote.size() == 1) return false;
    if (c != '\\') {
      out += c;
    } else if (at_ == text_.size()) {
      return false;
    } else if (raw) {
      out += c;
      out += text_[at_++];
    } else if (!add_escape(out)) {
      return false;
    }
  }
  return false;
}

// Behind a backslash.
bool PythonTokens::add_escape(std::string& out) {
  constexpr std::pair<char, char> kSimple[] = {{'\\', '\\'}, {'\'', '\''}, {'"', '"'},  {'a', '\a'},
                                               {'b', '\b'},  {'f', '\f'},  {'n', '\n'}, {'r', '\r'},
                                               {'t', '\t'},  {'v', '\v'}};
  const char c = text_[at_];
  std::optional<char32_t> code;
  if (c >= '0' && c <= '7') {
    code = digits(8, 1, 3);
  } else {
    ++at_;
    if (c == '\n') return true;
    const auto* simple = std::ranges::find(kSimple, c, &std::pair<char, char>::first);
    if (simple != std::end(kSimple)) {
      out += simple->second;
      return true;
    }
    const std::size_t size = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (c == 'N') return false;
    if (size == 0) {
      out += '\\';
      out += c;
      return true;
    }
    code = digits(16, size, size);
  }
  const bool character = code && *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
  if (character) utf8::append(out, *code);
  return character;
}

std::optional<char32_t> PythonTokens::digits(int base, std::size_t least, std::size_t most) {
  const std::string_view rest = text_.substr(at_, most);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  const auto size = static_cast<std::size_t>(end - rest.data());
  if (error != std::errc() || size < least) return std::nullopt;
  at_ += size;
  return value;
}

}  // namespace gladius::train
