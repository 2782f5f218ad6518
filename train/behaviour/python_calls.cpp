#include "gladius/train/behaviour/python_calls.h"

#include <algorithm>
#include <string>
#include <utility>

#include "gladius/models/chat_template/text.h"
#include "gladius/train/behaviour/python_tokens.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDeepest = 100;  // values within each other

// Each method reads what its name says; nothing where it is not there, and then all ends.
class PythonReader {
 public:
  explicit PythonReader(std::string_view text) : tokens_(text) {}

  std::optional<std::vector<Call>> calls() {
    if (!tokens_.take('[')) return std::nullopt;
    std::vector<Call> calls;
    while (!tokens_.take(']')) {
      auto call = named_call();
      if (!call || !at_next(']')) return std::nullopt;
      calls.push_back(*std::move(call));
    }
    if (!tokens_.at_end()) return std::nullopt;
    return calls;
  }

 private:
  // Behind a comma, or before the end of what is listed.
  bool at_next(char end) { return tokens_.take(',') || tokens_.is_at(end); }

  std::optional<Call> named_call() {
    auto name = dotted_name();
    if (!name || !tokens_.take('(')) return std::nullopt;
    auto arguments = rest_of_call();
    if (!arguments) return std::nullopt;
    return Call{*std::move(name), *std::move(arguments)};
  }

  std::optional<std::string> dotted_name() {
    auto name = tokens_.name();
    while (name && tokens_.take('.')) {
      const auto part = tokens_.name();
      if (!part) return std::nullopt;
      *name += "." + *part;
    }
    return name;
  }

  // Behind the bracket; those by place come first and are passed over.
  std::optional<Json> rest_of_call() {
    Json arguments = Json::object();
    while (!tokens_.take(')')) {
      const auto begin = tokens_.place();
      const auto name = tokens_.name();
      const bool named = name && tokens_.take('=') && !tokens_.is_at('=');
      if (!named) tokens_.return_to(begin);
      if (!named && !arguments.empty()) return std::nullopt;
      auto one = value();
      if (!one || !at_next(')')) return std::nullopt;
      if (named) arguments[*name] = *std::move(one);  // the last of a name, as BFCL has it
    }
    return arguments;
  }

  std::optional<Json> value() {
    if (depth_ == kDeepest) return std::nullopt;
    ++depth_;
    auto read = any_value();
    --depth_;
    return read;
  }

  std::optional<Json> any_value() {
    if (tokens_.take('[')) return list(']');
    if (tokens_.take('(')) return tuple();
    if (tokens_.take('{')) return dict();
    if (tokens_.take("...")) return Json("...");
    if (tokens_.take('-')) return tokens_.number(/*negative=*/true);
    if (tokens_.is_at_number()) return tokens_.number(/*negative=*/false);
    if (tokens_.is_at_text()) return tokens_.text();
    return named_value();
  }

  // A constant, a call, or a name that stands for a variable.
  std::optional<Json> named_value() {
    if (tokens_.take_word("True")) return Json(true);
    if (tokens_.take_word("False")) return Json(false);
    if (tokens_.take_word("None")) return Json(nullptr);
    auto name = dotted_name();
    if (!name) return std::nullopt;
    if (!tokens_.take('(')) {
      // "a.b" is an attribute, which stands for no value.
      return name->find('.') == name->npos ? std::optional(Json(*std::move(name))) : std::nullopt;
    }
    if (tokens_.take(')')) return Json(*name + "()");
    auto arguments = rest_of_call();
    if (!arguments || arguments->empty()) return std::nullopt;
    return Json{{*std::move(name), *std::move(arguments)}};
  }

  std::optional<Json> list(char end) {
    Json list = Json::array();
    while (!tokens_.take(end)) {
      auto element = value();
      if (!element || !at_next(end)) return std::nullopt;
      list.push_back(*std::move(element));
    }
    return list;
  }

  // Behind the bracket; of one value without a comma it is that value.
  std::optional<Json> tuple() {
    if (tokens_.take(')')) return Json::array();
    auto first = value();
    if (!first || tokens_.take(')')) return first;
    if (!tokens_.take(',')) return std::nullopt;
    auto rest = list(')');
    if (rest) rest->insert(rest->begin(), *std::move(first));
    return rest;
  }

  std::optional<Json> dict() {
    Json dict = Json::object();
    while (!tokens_.take('}')) {
      const auto key = value();
      if (!key || !key->is_string() || !tokens_.take(':')) return std::nullopt;
      auto member = value();
      if (!member || !at_next('}')) return std::nullopt;
      dict[key->get<std::string>()] = *std::move(member);
    }
    return dict;
  }

  PythonTokens tokens_;
  int depth_ = 0;
};

}  // namespace

std::optional<std::vector<Call>> read_python_calls(std::string_view text) {
  std::string_view list = text::jinja::strip(text, "` \n", /*left=*/true, /*right=*/true);
  if (text.starts_with("```") && list.starts_with("python\n")) list.remove_prefix(7);
  std::string whole(list.starts_with('[') ? "" : "[");
  whole += list;
  if (!whole.ends_with(']')) whole += ']';
  return PythonReader(whole).calls();
}

}  // namespace gladius::train
