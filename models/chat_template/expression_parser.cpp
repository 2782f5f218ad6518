#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "gladius/models/chat_template/parser.h"

namespace gladius::jinja {
namespace {

int depth_of(const ExprPtr& expr) { return expr ? expr->depth : 0; }

int depth_of(const std::vector<ExprPtr>& exprs) {
  int depth = 0;
  for (const ExprPtr& expr : exprs) depth = std::max(depth, depth_of(expr));
  return depth;
}

int depth_of(const CallArguments& arguments) {
  int depth = depth_of(arguments.positional);
  for (const auto& [name, value] : arguments.named) depth = std::max(depth, depth_of(value));
  return depth;
}

template <class T>
T parse_number(const std::string& text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

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

ExprPtr ExpressionParser::parse_primary() {
  const std::size_t offset = in_.current().offset;
  switch (in_.current().kind) {
    case TokenKind::kName:
      return parse_name();
    case TokenKind::kString: {
      std::string text;
      while (in_.is(TokenKind::kString)) text += in_.next().text;
      return make(offset, 0, Literal{Value(std::move(text))});
    }
    case TokenKind::kInteger:
      return make(offset, 0, Literal{Value(parse_number<std::int64_t>(in_.next().text))});
    case TokenKind::kFloat:
      return make(offset, 0, Literal{Value(parse_number<double>(in_.next().text))});
    default:
      break;
  }
  if (in_.skip_operator("(")) {
    ExprPtr value = parse_tuple(true, "", true);
    in_.expect_operator(")");
    return value;
  }
  if (in_.is_operator("[")) return parse_list();
  if (in_.is_operator("{")) return parse_dict();
  in_.unexpected("an expression");
}

ExprPtr ExpressionParser::parse_name() {
  const Token token = in_.current();
  const std::string& name = token.text;
  if (in_macro_ && (name == "varargs" || name == "kwargs" || name == "caller")) {
    in_.refuse_here(fmt::format("'{}' in a macro", name));
  }
  in_.next();
  if (name == "true" || name == "True") return make(token.offset, 0, Literal{Value(true)});
  if (name == "false" || name == "False") return make(token.offset, 0, Literal{Value(false)});
  if (name == "none" || name == "None") return make(token.offset, 0, Literal{Value()});
  return make(token.offset, 0, Variable{name});
}

ExprPtr ExpressionParser::parse_list() {
  const std::size_t offset = in_.next().offset;
  std::vector<ExprPtr> items;
  while (!in_.is_operator("]")) {
    if (!items.empty()) in_.expect_operator(",");
    if (in_.is_operator("]")) break;
    items.push_back(parse());
  }
  in_.expect_operator("]");
  const int depth = depth_of(items);
  return make(offset, depth, ListOf{std::move(items), SequenceKind::kList});
}

ExprPtr ExpressionParser::parse_dict() {
  const std::size_t offset = in_.next().offset;
  DictOf out;
  int depth = 0;
  while (!in_.is_operator("}")) {
    if (!out.items.empty()) in_.expect_operator(",");
    if (in_.is_operator("}")) break;
    ExprPtr key = parse();
    in_.expect_operator(":");
    ExprPtr value = parse();
    depth = std::max({depth, depth_of(key), depth_of(value)});
    out.items.emplace_back(std::move(key), std::move(value));
  }
  in_.expect_operator("}");
  return make(offset, depth, std::move(out));
}

ExprPtr ExpressionParser::parse_postfix(ExprPtr value) {
  while (true) {
    if (in_.is_operator(".")) {
      value = parse_dot(std::move(value));
    } else if (in_.is_operator("[")) {
      value = parse_subscript(std::move(value));
    } else if (in_.is_operator("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExprPtr ExpressionParser::parse_dot(ExprPtr object) {
  const std::size_t offset = in_.next().offset;
  const int depth = depth_of(object);
  const Token token = in_.next();
  if (token.kind == TokenKind::kName) {
    return make(offset, depth, Attribute{std::move(object), token.text});
  }
  if (token.kind != TokenKind::kInteger) in_.fail_here("expected a name or a number after the dot");
  ExprPtr index = make(token.offset, 0, Literal{Value(parse_number<std::int64_t>(token.text))});
  return make(offset, depth, Subscript{std::move(object), std::move(index)});
}

ExprPtr ExpressionParser::parse_slice_part() {
  if (in_.is_operator(":") || in_.is_operator("]") || in_.is_operator(",")) return nullptr;
  return parse();
}

ExprPtr ExpressionParser::parse_subscript(ExprPtr object) {
  const std::size_t offset = in_.next().offset;
  ExprPtr start = parse_slice_part();
  if (in_.is_operator(",")) in_.refuse_here("a subscript with several parts");
  if (!in_.skip_operator(":")) {
    if (!start) in_.unexpected("a subscript");
    in_.expect_operator("]");
    const int depth = std::max(depth_of(object), depth_of(start));
    return make(offset, depth, Subscript{std::move(object), std::move(start)});
  }
  ExprPtr stop = parse_slice_part();
  ExprPtr step = in_.skip_operator(":") ? parse_slice_part() : nullptr;
  in_.expect_operator("]");
  const int depth = std::max({depth_of(object), depth_of(start), depth_of(stop), depth_of(step)});
  return make(offset, depth,
              Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
}

CallArguments ExpressionParser::parse_arguments() {
  CallArguments out;
  in_.expect_operator("(");
  while (!in_.is_operator(")")) {
    if (in_.is_operator("*") || in_.is_operator("**")) in_.refuse_here("unpacking arguments");
    const bool named = in_.is(TokenKind::kName) && in_.ahead().kind == TokenKind::kOperator &&
                       in_.ahead().text == "=";
    if (named) {
      std::string name = in_.next().text;
      in_.next();
      out.named.emplace_back(std::move(name), parse());
    } else {
      if (!out.named.empty()) in_.fail_here("an argument by position follows one by name");
      out.positional.push_back(parse());
    }
    if (!in_.skip_operator(",")) break;
  }
  in_.expect_operator(")");
  return out;
}

ExprPtr ExpressionParser::parse_call(ExprPtr callee) {
  const std::size_t offset = in_.current().offset;
  CallArguments arguments = parse_arguments();
  const int depth = std::max(depth_of(callee), depth_of(arguments));
  return make(offset, depth, Call{std::move(callee), std::move(arguments)});
}

ExprPtr ExpressionParser::parse_filters(ExprPtr value) {
  while (true) {
    if (in_.skip_operator("|")) {
      value = parse_filter(std::move(value));
    } else if (in_.skip_name("is")) {
      value = parse_test(std::move(value));
    } else if (in_.is_operator("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExprPtr ExpressionParser::parse_block_filters(bool first_has_bar) {
  ExprPtr value = make(in_.current().offset, 0, BlockContent{});
  if (!first_has_bar) value = parse_filter(std::move(value));
  while (in_.skip_operator("|")) value = parse_filter(std::move(value));
  return value;
}

std::string ExpressionParser::dotted_name() {
  std::string name = in_.expect_identifier();
  while (in_.skip_operator(".")) name += fmt::format(".{}", in_.expect_identifier());
  return name;
}

ExprPtr ExpressionParser::parse_filter(ExprPtr input) {
  const Token token = in_.current();
  const std::string name = dotted_name();
  const Function filter = find_filter(name);
  if (filter == nullptr) in_.refuse_here(fmt::format("the filter '{}'", name));
  CallArguments arguments = in_.is_operator("(") ? parse_arguments() : CallArguments{};
  const int depth = std::max(depth_of(input), depth_of(arguments));
  return make(token.offset, depth, FilterCall{std::move(input), filter, std::move(arguments)});
}

bool ExpressionParser::at_test_argument() const {
  switch (in_.current().kind) {
    case TokenKind::kName:
      return !in_.is_name("else") && !in_.is_name("or") && !in_.is_name("and");
    case TokenKind::kString:
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return true;
    default:
      return in_.is_operator("[") || in_.is_operator("{");
  }
}

ExprPtr ExpressionParser::parse_test(ExprPtr input) {
  const std::size_t offset = in_.current().offset;
  const bool negated = in_.skip_name("not");
  const std::string name = dotted_name();
  const Test test = find_test(name);
  if (test == nullptr) in_.refuse_here(fmt::format("the test '{}'", name));
  CallArguments arguments;
  if (in_.is_operator("(")) {
    arguments = parse_arguments();
  } else if (at_test_argument()) {
    if (in_.is_name("is")) in_.fail_here("tests cannot be chained with 'is'");
    arguments.positional.push_back(parse_postfix(parse_primary()));
  }
  const int depth = std::max(depth_of(input), depth_of(arguments));
  ExprPtr out = make(offset, depth, TestCall{std::move(input), test, std::move(arguments)});
  if (!negated) return out;
  return make(offset, depth + 1, Negation{std::move(out)});
}

}  // namespace gladius::jinja
