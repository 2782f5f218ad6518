#include "gladius/train/behaviour/bfcl_suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/behaviour/case_parts.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// BFCL's names of types, of which JSON Schema has others.
constexpr std::pair<std::string_view, std::string_view> kSchemaTypes[] = {
    {"dict", "object"}, {"float", "number"}, {"tuple", "array"}, {"any", "string"}};

// The schema and those within it with JSON Schema's names.
Json as_json_schema(Json schema) {
  if (!schema.is_object()) return schema;
  if (const auto type = schema.find("type"); type != schema.end() && type->is_string()) {
    for (const auto& [theirs, ours] : kSchemaTypes) {
      if (*type == theirs) *type = ours;
    }
  }
  if (const auto items = schema.find("items"); items != schema.end()) {
    *items = as_json_schema(*items);
  }
  if (const auto properties = schema.find("properties"); properties != schema.end()) {
    for (auto& [name, property] : properties->items()) property = as_json_schema(property);
  }
  return schema;
}

Json as_tools(const Json& functions) {
  const Json list = functions.is_object() ? Json::array({functions}) : functions;
  Json tools = Json::array();
  for (const Json& function : text::parse_tools(list)) {
    Json converted = function;
    if (converted.contains("parameters")) {
      converted["parameters"] = as_json_schema(converted["parameters"]);
    }
    tools.push_back({{"type", "function"}, {"function", std::move(converted)}});
  }
  return tools;
}

// Those of other languages are compared as these languages' literals, which is not done here.
bool has_known_types(const Json& parameters) {
  if (!parameters.is_object()) return true;
  const auto is_known = [](const Json& schema) {
    const Json type = schema.value("type", Json());
    return !type.is_string() || is_known_type(type.get<std::string>());
  };
  return std::ranges::all_of(parameters.value("properties", Json::object()), [&](const Json& one) {
    return !one.is_object() || (is_known(one) && is_known(one.value("items", Json::object())));
  });
}

// "simple_python_12" is of "simple_python", "live_simple_0-0-0" of "live_simple".
std::string category_of(const std::string& id) { return id.substr(0, id.rfind('_')); }

using Answers = std::map<std::string, Json>;

Answers read_answers(const std::filesystem::path& file) {
  Answers answers;
  std::set<std::string> ids;
  const JsonLines lines(file, nullptr);
  for (std::int64_t i = 0; i < lines.size(); ++i) {
    lines.use_line(i, [&](const std::string& line) {
      const Json answer = parse_json(line);
      const std::string id = required_text(answer, "id");
      const Json truth = answer.value("ground_truth", Json());
      if (!truth.is_array()) throw FormatError("\"ground_truth\" is not a list");
      require_new_id(ids, id);
      answers.emplace(id, truth);
    });
  }
  return answers;
}

// One or more, each an object of the function's name.
bool has_calls_alone(const Json& truth) {
  return !truth.empty() && std::ranges::all_of(truth, [](const Json& call) {
    return call.is_object() && call.size() == 1;
  });
}

// Adds the case of a line, or counts why not.
void add_case(const Json& line, const Answers& answers, std::set<std::string>& ids, Suite& suite) {
  const std::string id = required_text(line, "id");
  require_new_id(ids, id);
  const auto skip = [&](const char* why) { ++suite.skipped[why]; };
  const auto answer = answers.find(id);
  if (answer == answers.end()) return skip("without a right answer");
  const Json& truth = answer->second;
  if (!has_calls_alone(truth)) return skip("with answers of another form");
  const Json& turns = line.at("question");
  if (!turns.is_array() || turns.size() != 1) return skip("with several turns");
  const std::string category = category_of(id);
  if (category.ends_with("_java") || category.ends_with("_javascript")) {
    return skip("in another language than Python");
  }
  Case one{.id = id,
           .category = category,
           .conversation = {.messages = text::parse_messages(turns[0]),
                            .tools = as_tools(line.at("function"))},
           .expected = ExpectedRefusal{}};
  ExpectedCalls expected;
  for (const Json& call : truth) {
    expected.calls.push_back(
        make_expected_call(call.begin().key(), call.begin().value(), one.conversation.tools));
    if (!has_known_types(expected.calls.back().parameters)) {
      return skip("with types other than Python's");
    }
  }
  if (expected.calls.size() == 1) {
    one.expected = std::move(expected.calls.front());
  } else {
    one.expected = std::move(expected);
  }
  suite.cases.push_back(std::move(one));
}

}  // namespace

bool is_bfcl_case(const Json& line) {
  return line.is_object() && line.contains("question") && line.contains("function");
}

Suite read_bfcl_suite(const JsonLines& questions, const std::filesystem::path& answers) {
  const Answers right = read_answers(answers);
  Suite suite;
  std::set<std::string> ids;
  for (std::int64_t i = 0; i < questions.size(); ++i) {
    questions.use_line(i, [&](const std::string& text) {
      const Json line = parse_json(text);
      if (!is_bfcl_case(line)) throw FormatError("there is no \"question\" or no \"function\"");
      add_case(line, right, ids, suite);
    });
  }
  return suite;
}

}  // namespace gladius::train
