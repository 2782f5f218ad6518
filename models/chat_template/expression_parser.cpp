#include <algorithm>
#include <array>

#include "gladius/models/chat_template/parser.h"

namespace gladius::text::jinja {

ExprPtr ExpressionParser::make(std::size_t offset, int child_depth, Expr::Node node) const {
  if (child_depth >= kMaxTreeDepth) in_.fail_here("the expression is too deep");
  return std::make_unique<const Expr>(Expr{offset, child_depth + 1, std::move(node)});
}

// A left-associative run: operand, then as long as `make_next` makes something of what follows.
template <class Operand, class Make>
ExprPtr ExpressionParser::chain(Operand operand, Make make_next) {
  ExprPtr left = (this->*operand)();
  while (ExprPtr longer = make_next(left)) left = std::move(longer);
  return left;
}

ExprPtr ExpressionParser::parse(bool with_conditional) {
  const TokenStream::Nesting nesting(in_);
  return with_conditional ? parse_conditional() : parse_or();
}

ExprPtr ExpressionParser::parse_tuple(bool with_conditional, std::string_view stop,
                                      bool parenthesized) {
  const std::size_t offset = in_.current().offset;
  const auto at_end = [&] {
    return in_.is(TokenKind::kVariableEnd) || in_.is(TokenKind::kBlockEnd) ||
           in_.is_operator(")") || (!stop.empty() && in_.is_name(stop));
  };
  std::vector<ExprPtr> items;
  bool tuple = false;
  while (!at_end()) {
    items.push_back(parse(with_conditional));
    if (!in_.skip_operator(",")) break;
    tuple = true;
  }
  if (!tuple && !items.empty()) return std::move(items[0]);
  if (!tuple && !parenthesized) in_.unexpected("an expression");
  const int depth = depth_of(items);
  return make(offset, depth, ListOf{std::move(items), SequenceKind::kTuple});
}

ExprPtr ExpressionParser::parse_conditional() {
  return chain(&ExpressionParser::parse_or, [this](ExprPtr& value) -> ExprPtr {
    const std::size_t offset = in_.current().offset;
    if (!in_.skip_name("if")) return nullptr;
    ExprPtr condition = parse_or();
    ExprPtr otherwise = in_.skip_name("else") ? parse() : nullptr;
    const int depth = std::max({depth_of(condition), depth_of(value), depth_of(otherwise)});
    return make(offset, depth,
                Conditional{std::move(condition), std::move(value), std::move(otherwise)});
  });
}

ExprPtr ExpressionParser::parse_or() {
  return chain(&ExpressionParser::parse_and, [this](ExprPtr& left) -> ExprPtr {
    const std::size_t offset = in_.current().offset;
    if (!in_.skip_name("or")) return nullptr;
    ExprPtr right = parse_and();
    const int depth = std::max(depth_of(left), depth_of(right));
    return make(offset, depth, Logical{false, std::move(left), std::move(right)});
  });
}

ExprPtr ExpressionParser::parse_and() {
  return chain(&ExpressionParser::parse_not, [this](ExprPtr& left) -> ExprPtr {
    const std::size_t offset = in_.current().offset;
    if (!in_.skip_name("and")) return nullptr;
    ExprPtr right = parse_not();
    const int depth = std::max(depth_of(left), depth_of(right));
    return make(offset, depth, Logical{true, std::move(left), std::move(right)});
  });
}

ExprPtr ExpressionParser::parse_not() {
  const std::size_t offset = in_.current().offset;
  if (!in_.skip_name("not")) return parse_comparison();
  const TokenStream::Nesting nesting(in_);
  ExprPtr operand = parse_not();
  const int depth = depth_of(operand);
  return make(offset, depth, Negation{std::move(operand)});
}

bool ExpressionParser::at_compare_operator() const {
  constexpr std::array symbols{"==", "!=", "<", "<=", ">", ">="};
  return std::any_of(symbols.begin(), symbols.end(),
                     [this](const char* symbol) { return in_.is_operator(symbol); }) ||
         in_.is_name("in") ||
         (in_.is_name("not") && in_.ahead().kind == TokenKind::kName && in_.ahead().text == "in");
}

CompareOperator ExpressionParser::next_compare_operator() {
  const Token token = in_.next();
  if (token.text == "not") {
    in_.next();
    return CompareOperator::kNotIn;
  }
  constexpr std::array<std::pair<std::string_view, CompareOperator>, 7> operators{
      {{"==", CompareOperator::kEq},
       {"!=", CompareOperator::kNe},
       {"<", CompareOperator::kLt},
       {"<=", CompareOperator::kLe},
       {">", CompareOperator::kGt},
       {">=", CompareOperator::kGe},
       {"in", CompareOperator::kIn}}};
  return std::find_if(operators.begin(), operators.end(),
                      [&](const auto& entry) { return entry.first == token.text; })
      ->second;
}

ExprPtr ExpressionParser::parse_comparison() {
  const std::size_t offset = in_.current().offset;
  ExprPtr first = parse_sum();
  if (!at_compare_operator()) return first;
  Comparison out{std::move(first), {}};
  int depth = depth_of(out.first);
  while (at_compare_operator()) {
    const CompareOperator op = next_compare_operator();
    out.rest.emplace_back(op, parse_sum());
    depth = std::max(depth, depth_of(out.rest.back().second));
  }
  return make(offset, depth, std::move(out));
}

ExprPtr ExpressionParser::parse_sum() {
  return chain(&ExpressionParser::parse_concatenation, [this](ExprPtr& left) -> ExprPtr {
    const std::size_t offset = in_.current().offset;
    const bool add = in_.skip_operator("+");
    if (!add && !in_.skip_operator("-")) return nullptr;
    ExprPtr right = parse_concatenation();
    const int depth = std::max(depth_of(left), depth_of(right));
    return make(offset, depth,
                Binary{add ? BinaryOperator::kAdd : BinaryOperator::kSubtract, std::move(left),
                       std::move(right)});
  });
}

ExprPtr ExpressionParser::parse_concatenation() {
  const std::size_t offset = in_.current().offset;
  std::vector<ExprPtr> parts;
  do {
    parts.push_back(parse_product());
  } while (in_.skip_operator("~"));
  if (parts.size() == 1) return std::move(parts[0]);
  const int depth = depth_of(parts);
  return make(offset, depth, Concatenation{std::move(parts)});
}

ExprPtr ExpressionParser::parse_product() {
  return chain(&ExpressionParser::parse_power, [this](ExprPtr& left) -> ExprPtr {
    constexpr std::array<std::pair<std::string_view, BinaryOperator>, 4> operators{
        {{"*", BinaryOperator::kMultiply},
         {"/", BinaryOperator::kDivide},
         {"//", BinaryOperator::kFloorDivide},
         {"%", BinaryOperator::kModulo}}};
    const std::size_t offset = in_.current().offset;
    for (const auto& [symbol, op] : operators) {
      if (!in_.skip_operator(symbol)) continue;
      ExprPtr right = parse_power();
      const int depth = std::max(depth_of(left), depth_of(right));
      return make(offset, depth, Binary{op, std::move(left), std::move(right)});
    }
    return nullptr;
  });
}

ExprPtr ExpressionParser::parse_power() {
  ExprPtr left = parse_unary(true);
  while (true) {
    const std::size_t offset = in_.current().offset;
    if (!in_.skip_operator("**")) return left;
    ExprPtr right = parse_unary(true);
    const int depth = std::max(depth_of(left), depth_of(right));
    left = make(offset, depth, Binary{BinaryOperator::kPower, std::move(left), std::move(right)});
  }
}

ExprPtr ExpressionParser::parse_unary(bool with_filters) {
  const TokenStream::Nesting nesting(in_);
  const std::size_t offset = in_.current().offset;
  const bool minus = in_.is_operator("-");
  ExprPtr value;
  if (minus || in_.is_operator("+")) {
    in_.next();
    ExprPtr operand = parse_unary(false);
    const int depth = depth_of(operand);
    value = make(offset, depth, Sign{minus, std::move(operand)});
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filters ? parse_filters(std::move(value)) : std::move(value);
}

}  // namespace gladius::text::jinja
