// The operands of expressions: literals, names and what is called on them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "gladius/models/chat_template/parser.h"

namespace gladius::text::jinja {
namespace {

template <class T>
T parse_number(const std::string& text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

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

}  // namespace gladius::text::jinja
