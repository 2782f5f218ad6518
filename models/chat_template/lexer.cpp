#include "gladius/models/chat_template/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "gladius/models/chat_template/text.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius::text::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Names may hold any character beyond ASCII, of which Jinja takes the letters.
bool is_name_part(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : 99;
}

class Lexer {
 public:
  explicit Lexer(const Source& source) : source_(source), text_(source.text) {}

  std::vector<Token> run() {
    while (pos_ < text_.size()) {
      const std::size_t tag = find_tag(pos_);
      if (tag == std::string_view::npos) {
        emit(TokenKind::kData, std::string(text_.substr(pos_)), pos_);
        break;
      }
      read_tag(tag);
    }
    emit(TokenKind::kEnd, "", text_.size());
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail_at(std::size_t offset, std::string message) const {
    source_.raise({FailureKind::kMalformed, std::move(message)}, offset);
  }

  void emit(TokenKind kind, std::string text, std::size_t offset) {
    tokens_.push_back({kind, std::move(text), offset});
  }

  bool at(std::size_t pos, std::string_view what) const {
    return text_.substr(std::min(pos, text_.size()), what.size()) == what;
  }

  std::size_t skip_space(std::size_t pos) const {
    while (pos < text_.size() && is_space(utf8::code_point(text_, pos))) {
      pos += utf8::char_length(text_[pos]);
    }
    return pos;
  }

  std::size_t find_tag(std::size_t from) const {
    for (std::size_t pos = from; (pos = text_.find('{', pos)) != std::string_view::npos; ++pos) {
      if (at(pos, "{{") || at(pos, "{%") || at(pos, "{#")) return pos;
    }
    return std::string_view::npos;
  }

  char sign_at(std::size_t pos) const {
    return pos < text_.size() && (text_[pos] == '-' || text_[pos] == '+') ? text_[pos] : '\0';
  }

  // The text up to a tag, without what the tag's sign or lstrip_blocks takes from its end.
  void emit_data(std::size_t end, char sign, bool before_variable) {
    std::string_view data = text_.substr(pos_, end - pos_);
    if (sign == '-') {
      data = strip(data, {}, false, true);
    } else if (sign != '+' && !before_variable) {
      const std::size_t line = data.rfind('\n') + 1;
      if (line > 0 || line_starting_) {
        if (strip(data.substr(line), {}, true, false).empty()) data = data.substr(0, line);
      }
    }
    if (!data.empty()) emit(TokenKind::kData, std::string(data), pos_);
  }

  // The position behind the end of a tag at `pos`, or npos when `delimiter` is not there. `-` takes
  // the white space that follows, a plain block end the newline.
  std::size_t tag_end(std::size_t pos, std::string_view delimiter, bool trims) const {
    if (pos < text_.size() && text_[pos] == '-' && at(pos + 1, delimiter)) {
      return skip_space(pos + 1 + delimiter.size());
    }
    if (trims && pos < text_.size() && text_[pos] == '+' && at(pos + 1, delimiter)) {
      return pos + 1 + delimiter.size();
    }
    if (!at(pos, delimiter)) return std::string_view::npos;
    const std::size_t end = pos + delimiter.size();
    return trims && at(end, "\n") ? end + 1 : end;
  }

  void leave_tag(std::size_t end) {
    pos_ = end;
    line_starting_ = text_[end - 1] == '\n';
  }

  void read_tag(std::size_t tag) {
    const bool variable = text_[tag + 1] == '{';
    const char sign = sign_at(tag + 2);
    emit_data(tag, sign, variable);
    const std::size_t inside = tag + 2 + (sign != '\0');
    if (text_[tag + 1] == '#') {
      skip_comment(tag, inside);
    } else if (variable) {
      read_code(tag, inside, TokenKind::kVariableBegin, TokenKind::kVariableEnd);
    } else if (const std::size_t raw = keyword_tag(inside, "raw", false); raw != npos) {
      read_raw(tag, raw);
    } else {
      read_code(tag, inside, TokenKind::kBlockBegin, TokenKind::kBlockEnd);
    }
  }

  void skip_comment(std::size_t tag, std::size_t inside) {
    const std::size_t close = text_.find("#}", inside);
    if (close == npos) fail_at(tag, "the comment has no end");
    const bool signed_end = close > inside && sign_at(close - 1) != '\0';
    leave_tag(tag_end(close - signed_end, "#}", true));
  }

  // The position behind `{% word %}`, whose inside starts at `inside`, or npos for another tag.
  std::size_t keyword_tag(std::size_t inside, std::string_view word, bool trims) const {
    const std::size_t start = skip_space(inside);
    if (!at(start, word)) return npos;
    return tag_end(skip_space(start + word.size()), "%}", trims);
  }

  void read_raw(std::size_t tag, std::size_t content) {
    leave_tag(content);
    for (std::size_t open = pos_; (open = text_.find("{%", open)) != npos; ++open) {
      const char sign = sign_at(open + 2);
      const std::size_t end = keyword_tag(open + 2 + (sign != '\0'), "endraw", true);
      if (end == npos) continue;
      emit_data(open, sign, false);
      leave_tag(end);
      return;
    }
    fail_at(tag, "the raw block has no endraw");
  }

  void read_code(std::size_t tag, std::size_t inside, TokenKind begin, TokenKind end_kind) {
    const bool block = begin == TokenKind::kBlockBegin;
    emit(begin, "", tag);
    std::string brackets;  // open ones; an end within them belongs to the expression
    for (pos_ = skip_space(inside); pos_ < text_.size(); pos_ = skip_space(pos_)) {
      const std::size_t end = brackets.empty() ? tag_end(pos_, block ? "%}" : "}}", block) : npos;
      if (end != npos) {
        emit(end_kind, "", pos_);
        leave_tag(end);
        return;
      }
      read_token(brackets);
    }
    fail_at(tag, "the tag has no end");
  }

  void read_token(std::string& brackets) {
    const char c = text_[pos_];
    if (is_digit(c)) return read_number();
    if (is_name_part(c)) {
      std::size_t end = pos_;
      while (end < text_.size() && is_name_part(text_[end])) ++end;
      emit(TokenKind::kName, std::string(text_.substr(pos_, end - pos_)), pos_);
      pos_ = end;
      return;
    }
    if (c == '\'' || c == '"') return read_string(c);
    read_operator(brackets);
  }

  void read_operator(std::string& brackets) {
    constexpr std::array operators{"==", "!=", ">=", "<=", "**", "//", "+", "-", "/",
                                   "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                   ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (const std::string_view candidate : operators) {
      if (!at(pos_, candidate)) continue;
      const char c = candidate[0];
      if (c == '(' || c == '[' || c == '{') {
        brackets.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
      } else if (c == ')' || c == ']' || c == '}') {
        if (brackets.empty() || brackets.back() != c)
          fail_at(pos_, fmt::format("unexpected '{}'", c));
        brackets.pop_back();
      }
      emit(TokenKind::kOperator, std::string(candidate), pos_);
      pos_ += candidate.size();
      return;
    }
    fail_at(pos_, fmt::format("unexpected character '{}'", text_[pos_]));
  }

  // Digits with single underscores between them.
  std::size_t digits(std::size_t pos, int base, std::string& out) const {
    while (pos < text_.size()) {
      const bool joined = text_[pos] == '_' && pos + 1 < text_.size();
      const std::size_t digit = pos + joined;
      if (digit_value(text_[digit]) >= base) break;
      out += text_[digit];
      pos = digit + 1;
    }
    return pos;
  }

  void read_number() {
    const std::size_t start = pos_;
    std::string number;
    const char prefix = at(start, "0") && start + 1 < text_.size()
                            ? static_cast<char>(text_[start + 1] | 0x20)
                            : '\0';
    if (const int base = prefix == 'x'   ? 16
                         : prefix == 'o' ? 8
                         : prefix == 'b' ? 2
                                         : 0;
        base != 0) {
      pos_ = digits(start + 2, base, number);
      if (number.empty()) fail_at(start, "the number has no digits");
      number = convert_integer(start, number, base);
      emit(TokenKind::kInteger, number, start);
      return;
    }
    pos_ = digits(start, 10, number);
    const bool after_dot = start > 0 && text_[start - 1] == '.';  // x.0.1 are two subscripts
    const bool fractional = !after_dot && read_fraction(number);
    if (!fractional) number = convert_integer(start, number, 10);
    emit(fractional ? TokenKind::kFloat : TokenKind::kInteger, number, start);
  }

  bool read_fraction(std::string& number) {
    bool any = false;
    if (at(pos_, ".") && pos_ + 1 < text_.size() && is_digit(text_[pos_ + 1])) {
      number += '.';
      pos_ = digits(pos_ + 1, 10, number);
      any = true;
    }
    if (at(pos_, "e") || at(pos_, "E")) {
      const char sign = sign_at(pos_ + 1);
      const std::size_t first = pos_ + 1 + (sign != '\0');
      if (first < text_.size() && is_digit(text_[first])) {
        number += 'e';
        if (sign == '-') number += '-';
        pos_ = digits(first, 10, number);
        any = true;
      }
    }
    return any;
  }

  std::string convert_integer(std::size_t start, const std::string& text, int base) const {
    try {
      return std::to_string(std::stoll(text, nullptr, base));
    } catch (const std::out_of_range&) {
      fail_at(start, "the integer does not fit 64 bits");
    }
  }

  void read_string(char quote) {
    const std::size_t start = pos_++;
    std::string value;
    while (pos_ < text_.size() && text_[pos_] != quote) {
      if (text_[pos_] == '\\' && pos_ + 1 < text_.size()) {
        read_escape(value);
      } else {
        value += text_[pos_++];
      }
    }
    if (pos_ >= text_.size()) fail_at(start, "the string has no end");
    ++pos_;
    emit(TokenKind::kString, std::move(value), start);
  }

  void read_escape(std::string& value) {
    constexpr std::string_view names = "\\'\"abfnrtv";
    constexpr std::string_view meanings = "\\'\"\a\b\f\n\r\t\v";
    const char c = text_[pos_ + 1];
    if (const std::size_t named = names.find(c); named != npos) {
      value += meanings[named];
      pos_ += 2;
    } else if (c == '\n') {
      pos_ += 2;  // a line continued
    } else if (c == 'x' || c == 'u' || c == 'U') {
      read_code_point(value, pos_ + 2, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, true);
    } else if (c >= '0' && c <= '7') {
      read_code_point(value, pos_ + 1, 3, 8, false);
    } else if (c == 'N') {
      source_.raise({FailureKind::kUnsupported, "\\N{...} in a string is not supported"}, pos_);
    } else {
      value += '\\';  // Python keeps unknown escapes
      ++pos_;
    }
  }

  void read_code_point(std::string& value, std::size_t from, std::size_t width, int base,
                       bool exact) {
    char32_t code = 0;
    std::size_t end = from;
    while (end < text_.size() && end - from < width && digit_value(text_[end]) < base) {
      code = code * static_cast<char32_t>(base) + static_cast<char32_t>(digit_value(text_[end++]));
    }
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    if ((exact && end - from != width) || code > 0x10FFFF || surrogate) {
      fail_at(pos_, "the escape is no character");
    }
    utf8::append(value, code);
    pos_ = end;
  }

  static constexpr std::size_t npos = std::string_view::npos;

  const Source& source_;
  std::string_view text_;
  std::size_t pos_ = 0;
  bool line_starting_ = true;  // the last tag ended with a newline, or none came yet
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(const Source& source) { return Lexer(source).run(); }

}  // namespace gladius::text::jinja
