#include "gladius/models/chat_template/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace gladius::text::jinja {

Token TokenStream::next() {
  Token token = tokens_[pos_];
  if (pos_ + 1 < tokens_.size()) ++pos_;
  return token;
}

bool TokenStream::is_operator(std::string_view text) const {
  return is(TokenKind::kOperator) && current().text == text;
}

bool TokenStream::is_name(std::string_view text) const {
  return is(TokenKind::kName) && current().text == text;
}

bool TokenStream::skip_operator(std::string_view text) {
  const bool found = is_operator(text);
  if (found) next();
  return found;
}

bool TokenStream::skip_name(std::string_view text) {
  const bool found = is_name(text);
  if (found) next();
  return found;
}

void TokenStream::expect_operator(std::string_view text) {
  if (!skip_operator(text)) unexpected(fmt::format("'{}'", text));
}

void TokenStream::expect_name(std::string_view text) {
  if (!skip_name(text)) unexpected(fmt::format("'{}'", text));
}

std::string TokenStream::expect_identifier() {
  if (!is(TokenKind::kName)) unexpected("a name");
  return next().text;
}

void TokenStream::expect(TokenKind kind, std::string_view what) {
  if (!is(kind)) unexpected(what);
  next();
}

void TokenStream::fail_here(std::string message) const {
  source_.raise({FailureKind::kMalformed, std::move(message)}, current().offset);
}

void TokenStream::refuse_here(const std::string& construct) const {
  source_.raise({FailureKind::kUnsupported, construct + " is not supported"}, current().offset);
}

void TokenStream::unexpected(std::string_view wanted) const {
  switch (current().kind) {
    case TokenKind::kBlockEnd:
    case TokenKind::kVariableEnd:
      fail_here(fmt::format("expected {}, the tag ends", wanted));
    case TokenKind::kEnd:
      fail_here(fmt::format("expected {}, the template ends", wanted));
    default:
      fail_here(fmt::format("expected {}, got '{}'", wanted, current().text));
  }
}

TokenStream::Nesting::Nesting(TokenStream& stream) : stream_(stream) {
  if (stream_.depth_ >= kMaxSyntaxDepth) stream_.fail_here("more than 100 levels of nesting");
  ++stream_.depth_;
}

namespace {

class TemplateParser {
 public:
  explicit TemplateParser(const Source& source) : in_(source), expressions_(in_) {}

  Template parse() {
    Body body = parse_body({});
    return {std::move(body), marks_generation_};
  }

 private:
  // Statements up to {% end %}, one of `ends`, whose name is left to the caller; or to the
  // template's end when there are none.
  Body parse_body(const std::vector<std::string_view>& ends) {
    const TokenStream::Nesting nesting(in_);
    Body body;
    while (true) {
      const std::size_t offset = in_.current().offset;
      if (in_.is(TokenKind::kData)) {
        body.push_back({offset, Data{in_.next().text}});
      } else if (in_.is(TokenKind::kVariableBegin)) {
        in_.next();
        body.push_back({offset, Output{expressions_.parse_tuple()}});
        in_.expect(TokenKind::kVariableEnd, "the tag's end");
      } else if (in_.is(TokenKind::kBlockBegin)) {
        in_.next();
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return in_.is_name(end); })) {
          return body;
        }
        body.push_back({offset, parse_statement()});
        in_.expect(TokenKind::kBlockEnd, "the tag's end");
      } else {
        if (!ends.empty()) in_.fail_here(fmt::format("the template ends before '{}'", ends.back()));
        return body;
      }
    }
  }

  // A block's content and its {% end %}.
  Body parse_block(std::string_view end) {
    in_.expect(TokenKind::kBlockEnd, "the tag's end");
    Body body = parse_body({end});
    in_.expect_name(end);
    return body;
  }

  // A block that is a function of its own in Jinja: loops around it cannot be left from within.
  Body parse_function_block(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Body body = parse_block(end);
    loops_ = loops;
    return body;
  }

  Statement::Node parse_statement() {
    if (!in_.is(TokenKind::kName)) in_.unexpected("a statement");
    const std::string word = in_.current().text;
    using Parse = Statement::Node (TemplateParser::*)();
    constexpr std::array<std::pair<std::string_view, Parse>, 9> statements{{
        {"if", &TemplateParser::parse_if},
        {"for", &TemplateParser::parse_for},
        {"set", &TemplateParser::parse_set},
        {"macro", &TemplateParser::parse_macro},
        {"filter", &TemplateParser::parse_filter_block},
        {"with", &TemplateParser::parse_with},
        {"generation", &TemplateParser::parse_generation},
        {"break", &TemplateParser::parse_jump<Break>},
        {"continue", &TemplateParser::parse_jump<Continue>},
    }};
    for (const auto& [known, parse] : statements) {
      if (known != word) continue;
      if (word == "break" || word == "continue") return (this->*parse)();
      in_.next();
      return (this->*parse)();
    }
    constexpr std::array jinja{"autoescape", "block",  "call",    "debug", "do",        "extends",
                               "from",       "import", "include", "print", "pluralize", "trans"};
    if (std::find(jinja.begin(), jinja.end(), word) != jinja.end()) {
      in_.refuse_here(fmt::format("the tag '{}'", word));
    }
    in_.fail_here(fmt::format("unknown tag '{}'", word));
  }

  Statement::Node parse_if() {
    If out;
    do {
      ExprPtr condition = expressions_.parse_tuple(false);
      in_.expect(TokenKind::kBlockEnd, "the tag's end");
      Body body = parse_body({"elif", "else", "endif"});
      out.branches.emplace_back(std::move(condition), std::move(body));
    } while (in_.skip_name("elif"));
    if (in_.skip_name("else")) {
      out.otherwise = parse_block("endif");
    } else {
      in_.expect_name("endif");
    }
    return out;
  }

  Statement::Node parse_for() {
    For out;
    const Token start = in_.current();
    out.target = parse_target(false, "in");
    refuse_loop_target(out.target);
    in_.expect_name("in");
    out.items = expressions_.parse_tuple(false, "recursive");
    if (in_.skip_name("if")) out.filter = expressions_.parse();
    if (in_.is_name("recursive")) in_.refuse_here("a recursive loop");
    in_.expect(TokenKind::kBlockEnd, "the tag's end");
    ++loops_;
    out.body = parse_body({"else", "endfor"});
    --loops_;
    if (in_.skip_name("else")) {
      out.otherwise = parse_block("endfor");
    } else {
      in_.expect_name("endfor");
    }
    return out;
  }

  void refuse_loop_target(const Target& target) const {
    if (target.name == "loop") in_.fail_here("a loop cannot assign to the variable 'loop'");
    for (const Target& part : target.parts) refuse_loop_target(part);
  }

  Statement::Node parse_set() {
    Target target = parse_target(true, "");
    if (in_.skip_operator("=")) return Set{std::move(target), expressions_.parse_tuple()};
    ExprPtr value = expressions_.parse_block_filters(true);
    return SetBlock{std::move(target), std::move(value), parse_block("endset")};
  }

  Statement::Node parse_filter_block() {
    ExprPtr value = expressions_.parse_block_filters(false);
    return FilterBlock{std::move(value), parse_block("endfilter")};
  }

  Statement::Node parse_macro() {
    Macro out{in_.expect_identifier(), parse_parameters(), {}};
    const bool within = expressions_.in_macro();
    expressions_.set_in_macro(true);
    out.body = parse_function_block("endmacro");
    expressions_.set_in_macro(within);
    return out;
  }

  std::vector<std::pair<std::string, ExprPtr>> parse_parameters() {
    std::vector<std::pair<std::string, ExprPtr>> out;
    in_.expect_operator("(");
    while (!in_.is_operator(")")) {
      if (!out.empty()) in_.expect_operator(",");
      std::string name = in_.expect_identifier();
      ExprPtr fallback = in_.skip_operator("=") ? expressions_.parse() : nullptr;
      if (!fallback && !out.empty() && out.back().second) {
        in_.fail_here("a parameter without a default follows one with a default");
      }
      out.emplace_back(std::move(name), std::move(fallback));
    }
    in_.expect_operator(")");
    return out;
  }

  Statement::Node parse_with() {
    With out;
    while (!in_.is(TokenKind::kBlockEnd)) {
      if (!out.bindings.empty()) in_.expect_operator(",");
      Target target = parse_single_target(false);
      in_.expect_operator("=");
      out.bindings.emplace_back(std::move(target), expressions_.parse());
    }
    out.body = parse_block("endwith");
    return out;
  }

  Statement::Node parse_generation() {
    marks_generation_ = true;
    return Generation{parse_function_block("endgeneration")};
  }

  template <class Jump>
  Statement::Node parse_jump() {
    if (loops_ == 0) in_.fail_here(fmt::format("'{}' outside a loop", in_.current().text));
    in_.next();
    return Jump{};
  }

  // a, or a, b: the name `stop` or = ends it.
  Target parse_target(bool with_namespace, std::string_view stop) {
    Target first = parse_single_target(with_namespace);
    if (!in_.is_operator(",")) return first;
    Target tuple;
    tuple.parts.push_back(std::move(first));
    while (in_.skip_operator(",")) {
      const bool end = in_.is_operator("=") || in_.is(TokenKind::kBlockEnd) ||
                       in_.is_operator(")") || (!stop.empty() && in_.is_name(stop));
      if (end) break;
      tuple.parts.push_back(parse_single_target(with_namespace));
    }
    return tuple;
  }

  Target parse_single_target(bool with_namespace) {
    const TokenStream::Nesting nesting(in_);
    if (in_.skip_operator("(")) {
      Target inner = parse_target(with_namespace, "");
      in_.expect_operator(")");
      return inner;
    }
    constexpr std::array constants{"true", "false", "none", "True", "False", "None"};
    if (std::find(constants.begin(), constants.end(), in_.current().text) != constants.end()) {
      in_.fail_here(fmt::format("cannot assign to '{}'", in_.current().text));
    }
    Target out;
    out.name = in_.expect_identifier();
    if (with_namespace && in_.skip_operator(".")) out.attribute = in_.expect_identifier();
    return out;
  }

  TokenStream in_;
  ExpressionParser expressions_;
  int loops_ = 0;  // around the place, within the same function
  bool marks_generation_ = false;
};

}  // namespace

Template parse_template(const Source& source) { return TemplateParser(source).parse(); }

}  // namespace gladius::text::jinja
