#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/behaviour/case_parts.h"
#include "gladius/train/behaviour/json_schema.h"
#include "gladius/train/behaviour/suite.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

bool has_lists_alone(const Json& object) { return std::ranges::all_of(object, &Json::is_array); }

// A right value that is an object, or a list of objects, has lists of right values in it.
bool is_right_value_well_formed(const Json& value) {
  if (value.is_object()) return has_lists_alone(value);
  return !value.is_array() || std::ranges::all_of(value, [](const Json& element) {
    return !element.is_object() || has_lists_alone(element);
  });
}

ExpectedCall parse_call(const Json& value, const Json& tools) {
  if (!value.is_object() || !value.contains("name") || !value.contains("arguments") ||
      value.size() != 2) {
    throw FormatError(fmt::format(
        "\"call\" is {}; expected {{\"name\": ..., \"arguments\": {{PARAMETER: [right values]}}}}",
        shown(value)));
  }
  if (!value.at("name").is_string()) {
    throw FormatError(
        fmt::format("the name of the call is {}, not a text", shown(value.at("name"))));
  }
  ExpectedCall call =
      make_expected_call(value.at("name").get<std::string>(), value.at("arguments"), tools);
  for (const auto& [parameter, right] : call.arguments.items()) {
    if (!right.empty()) continue;
    throw FormatError(fmt::format("there are no right values of {}", in_quotes(parameter)));
  }
  return call;
}

ExpectedCalls parse_calls(const Json& value, const Json& tools) {
  if (!value.is_array() || value.empty()) {
    throw FormatError(
        fmt::format("\"calls\" is {}, not a list of calls as \"call\" has one", shown(value)));
  }
  ExpectedCalls expected;
  for (const Json& call : value) expected.calls.push_back(parse_call(call, tools));
  return expected;
}

ExpectedText parse_texts(const Json& value) {
  const bool texts = value.is_array() && std::ranges::all_of(value, &Json::is_string);
  if (!texts || value.empty()) {
    throw FormatError(fmt::format("\"text\" is {}, not a list of right texts", shown(value)));
  }
  return {value.get<std::vector<std::string>>()};
}

ExpectedMatch parse_regex(const Json& value) {
  if (!value.is_string()) {
    throw FormatError(fmt::format("\"regex\" is {}, not a text", shown(value)));
  }
  return {Pattern(value.get<std::string>())};
}

Expectation parse_expectation(const Json& expect, const Json& tools) {
  constexpr const char* kForms =
      "\"call\", \"calls\", \"text\", \"schema\", \"regex\", \"refusal\"";
  if (!expect.is_object() || expect.size() != 1) {
    throw FormatError(
        fmt::format("\"expect\" is {}; expected an object with one of {}", shown(expect), kForms));
  }
  const std::string& form = expect.begin().key();
  const Json& value = expect.begin().value();
  if (form == "call") return parse_call(value, tools);
  if (form == "calls") return parse_calls(value, tools);
  if (form == "text") return parse_texts(value);
  if (form == "regex") return parse_regex(value);
  if (form == "schema") {
    require_supported_schema(value);
    return ExpectedSchema{value};
  }
  if (form != "refusal") {
    throw FormatError(
        fmt::format("\"expect\" has {}; expected one of {}", in_quotes(form), kForms));
  }
  if (value == Json(true)) return ExpectedRefusal{};
  throw FormatError(fmt::format("\"refusal\" is {}; it can only be true", shown(value)));
}

// Where the assistant's turns begin among the messages: before each of its messages, and behind the
// last message unless it is one.
std::vector<std::size_t> assistant_turns(const Json& messages) {
  std::vector<std::size_t> turns;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].value("role", "") == "assistant") turns.push_back(i);
  }
  if (turns.empty() || turns.back() + 1 < messages.size()) turns.push_back(messages.size());
  return turns;
}

// A case for each turn whose expectation is not null.
std::vector<Case> split_turns(const Case& whole, const Json& expect) {
  const Json& messages = whole.conversation.messages;
  const std::vector<std::size_t> turns = assistant_turns(messages);
  if (turns.size() != expect.size()) {
    throw FormatError(
        fmt::format("\"expect\" is a list of {}; the assistant has {} turns in this conversation, "
                    "the answer to "
                    "its last message included",
                    expect.size(), turns.size()));
  }
  std::vector<Case> cases;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (expect[i].is_null()) continue;
    if (turns[i] == 0) throw FormatError("no message comes before the turn that is to be checked");
    Case& one = cases.emplace_back(whole);
    one.id = fmt::format("{}/{}", whole.id, i + 1);
    one.conversation.messages =
        Json(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(turns[i]));
    one.expected = parse_expectation(expect[i], whole.conversation.tools);
  }
  if (cases.empty()) throw FormatError("\"expect\" has nothing but null");
  return cases;
}

}  // namespace

std::string required_text(const Json& object, const char* key) {
  const auto value = object.find(key);
  if (value == object.end()) throw FormatError(fmt::format("there is no \"{}\"", key));
  if (!value->is_string()) {
    throw FormatError(fmt::format("\"{}\" is {}, not a text", key, shown(*value)));
  }
  return value->get<std::string>();
}

void require_new_id(std::set<std::string>& ids, const std::string& id) {
  if (!ids.insert(id).second) {
    throw FormatError(fmt::format("the id {} is there twice", in_quotes(id)));
  }
}

ExpectedCall make_expected_call(const std::string& name, const Json& arguments, const Json& tools) {
  if (!arguments.is_object()) {
    throw FormatError(fmt::format("the right arguments are {}, not an object", shown(arguments)));
  }
  for (const auto& [parameter, right] : arguments.items()) {
    if (right.is_array() && std::ranges::all_of(right, is_right_value_well_formed)) continue;
    throw FormatError(fmt::format(
        "the right values of {} are {}; expected a list of them (and the same for each member of "
        "an object)",
        in_quotes(parameter), shown(right)));
  }
  ExpectedCall call{.name = name, .arguments = arguments, .parameters = nullptr};
  if (tools.is_null() || tools.empty()) return call;
  const auto tool = std::ranges::find_if(tools, [&](const Json& candidate) {
    return text::function_of(candidate).value("name", Json()) == Json(name);
  });
  if (tool == tools.end()) {
    throw FormatError(fmt::format("the call of {} is of none of the tools", in_quotes(name)));
  }
  call.parameters = text::function_of(*tool).value("parameters", Json());
  return call;
}

std::vector<Case> parse_cases(const std::string& line, std::vector<std::string>& unknown) {
  const Json object = parse_json(line);
  if (!object.is_object()) {
    throw FormatError(fmt::format("the line is {}, not an object", shown(object)));
  }
  for (const auto& [key, value] : object.items()) {
    constexpr std::string_view kKnown[] = {"id", "category", "messages", "tools", "expect"};
    if (std::ranges::count(kKnown, key) == 0) unknown.push_back(key);
  }
  if (!object.contains("expect")) throw FormatError("there is no \"expect\"");
  Case out{.id = required_text(object, "id"),
           .category = required_text(object, "category"),
           .conversation = text::parse_conversation(object),
           .expected = ExpectedRefusal{}};
  const Json& expect = object.at("expect");
  if (expect.is_array()) return split_turns(out, expect);
  out.expected = parse_expectation(expect, out.conversation.tools);
  return {std::move(out)};
}

}  // namespace gladius::train
