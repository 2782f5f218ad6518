// What Python's expressions are made of: names, numbers, texts. For python_calls.cpp.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace gladius::train {

/// Reads tokens of a text within brackets, where line ends are white space. Methods that find
/// nothing leave the place where it is, but for numbers and texts that are no values: what holds
/// them is no call.
class PythonTokens {
 public:
  explicit PythonTokens(std::string_view text) : text_(text) { skip_space(); }

  bool at_end() const { return at_ == text_.size(); }
  bool is_at(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool is_at_number() const;
  bool is_at_text() const;
  bool take(char c) { return take(std::string_view(&c, 1)); }
  bool take(std::string_view mark);
  /// A whole name.
  bool take_word(std::string_view word);
  /// An identifier that is no keyword.
  std::optional<std::string> name();
  std::optional<nlohmann::ordered_json> number(bool negative);
  /// One or more string literals, joined.
  std::optional<nlohmann::ordered_json> text();

  std::size_t place() const { return at_; }
  void return_to(std::size_t place) { at_ = place; }

 private:
  void skip_space();
  std::string_view word() const;
  bool add_literal(std::string& out);
  bool add_escape(std::string& out);
  std::optional<char32_t> digits(int base, std::size_t least, std::size_t most);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace gladius::train
