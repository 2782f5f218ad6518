// Tokens to a syntax tree.
#pragma once

#include <string_view>
#include <vector>

#include "gladius/models/chat_template/ast.h"
#include "gladius/models/chat_template/lexer.h"

namespace gladius::text::jinja {

/// The tokens and the place among them, shared by the two parsers.
class TokenStream {
 public:
  explicit TokenStream(const Source& source) : source_(source), tokens_(tokenize(source)) {}

  const Token& current() const { return tokens_[pos_]; }
  const Token& ahead() const { return tokens_[pos_ + (pos_ + 1 < tokens_.size())]; }
  Token next();
  bool is(TokenKind kind) const { return current().kind == kind; }
  bool is_operator(std::string_view text) const;
  bool is_name(std::string_view text) const;
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  void expect_name(std::string_view text);
  std::string expect_identifier();
  void expect(TokenKind kind, std::string_view what);

  [[noreturn]] void fail_here(std::string message) const;
  [[noreturn]] void refuse_here(const std::string& construct) const;
  [[noreturn]] void unexpected(std::string_view wanted) const;

  /// Counts brackets and blocks within one another; fails when they are too many.
  class Nesting {
   public:
    explicit Nesting(TokenStream& stream);
    ~Nesting() { --stream_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    TokenStream& stream_;
  };

 private:
  const Source& source_;
  std::vector<Token> tokens_;
  std::size_t pos_ = 0;
  int depth_ = 0;
};

/// Jinja's expression grammar.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& stream) : in_(stream) {}

  ExprPtr parse(bool with_conditional = true);
  /// One expression, or several with commas: a tuple. `stop` is a name that ends it.
  ExprPtr parse_tuple(bool with_conditional = true, std::string_view stop = "",
                      bool parenthesized = false);
  /// The filters of {% filter a|b %}, or of {% set x | a %}, over the block's content.
  ExprPtr parse_block_filters(bool first_has_bar);
  /// Macro bodies may not use what only calls with varargs or a caller have.
  void set_in_macro(bool inside) { in_macro_ = inside; }
  bool in_macro() const { return in_macro_; }

 private:
  ExprPtr make(std::size_t offset, int child_depth, Expr::Node node) const;
  template <class Operand, class Make>
  ExprPtr chain(Operand operand, Make make_next);

  ExprPtr parse_conditional();
  ExprPtr parse_or();
  ExprPtr parse_and();
  ExprPtr parse_not();
  ExprPtr parse_comparison();
  ExprPtr parse_sum();
  ExprPtr parse_concatenation();
  ExprPtr parse_product();
  ExprPtr parse_power();
  ExprPtr parse_unary(bool with_filters);
  ExprPtr parse_primary();
  ExprPtr parse_name();
  ExprPtr parse_list();
  ExprPtr parse_dict();
  ExprPtr parse_postfix(ExprPtr value);
  ExprPtr parse_filters(ExprPtr value);
  ExprPtr parse_filter(ExprPtr input);
  ExprPtr parse_test(ExprPtr input);
  ExprPtr parse_call(ExprPtr callee);
  ExprPtr parse_dot(ExprPtr object);
  ExprPtr parse_subscript(ExprPtr object);
  ExprPtr parse_slice_part();
  CallArguments parse_arguments();
  std::string dotted_name();
  bool at_compare_operator() const;
  CompareOperator next_compare_operator();
  bool at_test_argument() const;

  TokenStream& in_;
  bool in_macro_ = false;
};

/// The whole template. FormatError for bad syntax, ConfigError for what is not supported.
Template parse_template(const Source& source);

}  // namespace gladius::text::jinja
