#include "gladius/train/behaviour/judge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "gladius/tensor/base/quoted.h"
#include "gladius/train/behaviour/answer_text.h"
#include "gladius/train/behaviour/call_reader.h"
#include "gladius/train/behaviour/json_schema.h"
#include "gladius/train/behaviour/json_values.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

Verdict judge_call(const ExpectedCall& expected, const std::string& output) {
  const std::vector<Call> calls = read_calls(output);
  if (calls.empty()) return {.reason = "no call could be read"};
  if (calls.size() > 1) {
    return {.parsed = true, .reason = fmt::format("{} calls instead of one", calls.size())};
  }
  const Call& call = calls.front();
  const std::string fault = fault_of_arguments(call.arguments, expected);
  Verdict verdict{.parsed = true,
                  .name_right = call.name == expected.name,
                  .arguments_right = fault.empty(),
                  .reason = fault};
  if (!verdict.name_right) {
    verdict.reason =
        fmt::format("a call of {}, not of {}", in_quotes(call.name), in_quotes(expected.name));
  }
  verdict.right = verdict.reason.empty();
  return verdict;
}

Verdict judge_text(const ExpectedText& expected, const std::string& output) {
  const std::string answer = folded(without_thoughts(output));
  const bool right = std::ranges::any_of(
      expected.right, [&](const std::string& text) { return folded(text) == answer; });
  return {.parsed = true, .right = right, .reason = right ? "" : "another text"};
}

Verdict judge_schema(const ExpectedSchema& expected, const std::string& output) {
  const auto value = read_json_answer(without_thoughts(output));
  if (!value) return {.reason = "it is not JSON"};
  const std::string fault = fault_by_schema(expected.schema, *value);
  return {.parsed = true, .right = fault.empty(), .reason = fault};
}

Verdict judge_match(const ExpectedMatch& expected, const std::string& output) {
  const bool right = expected.pattern.matches(without_thoughts(output));
  return {.parsed = true, .right = right, .reason = right ? "" : "no match"};
}

Verdict judge_refusal(const std::string& output) {
  const std::string_view answer = without_thoughts(output);
  const bool calls = !read_calls(answer).empty();
  const bool right = !calls && sounds_like_refusal(answer);
  return {.parsed = true, .right = right, .reason = right ? "" : calls ? "a call" : "no refusal"};
}

}  // namespace

Verdict judge(const Case& one, const std::string& output) {
  return std::visit(
      Overloaded{[&](const ExpectedCall& call) { return judge_call(call, output); },
                 [&](const ExpectedText& text) { return judge_text(text, output); },
                 [&](const ExpectedSchema& schema) { return judge_schema(schema, output); },
                 [&](const ExpectedMatch& match) { return judge_match(match, output); },
                 [&](const ExpectedRefusal&) { return judge_refusal(output); }},
      one.expected);
}

std::optional<std::string> right_answer(const Case& one) {
  using Answer = std::optional<std::string>;
  return std::visit(
      Overloaded{[](const ExpectedCall& call) -> Answer {
                   return Json{{"name", call.name}, {"arguments", right_arguments(call)}}.dump();
                 },
                 [](const ExpectedText& text) -> Answer { return text.right.front(); },
                 [](const ExpectedSchema& schema) -> Answer {
                   const auto example = example_of_schema(schema.schema);
                   return example ? Answer(example->dump()) : std::nullopt;
                 },
                 [](const ExpectedMatch&) -> Answer { return std::nullopt; },
                 [](const ExpectedRefusal&) -> Answer { return "I can't help with that."; }},
      one.expected);
}

std::string describe(const Expectation& expected) {
  return std::visit(Overloaded{[](const ExpectedCall& call) {
                                 return fmt::format("a call of {} with {}", one_line(call.name),
                                                    call.arguments.dump());
                               },
                               [](const ExpectedText& text) { return Json(text.right).dump(); },
                               [](const ExpectedSchema& schema) {
                                 return fmt::format("JSON of the schema {}", schema.schema.dump());
                               },
                               [](const ExpectedMatch& match) {
                                 return fmt::format("a match of {}",
                                                    one_line(match.pattern.expression()));
                               },
                               [](const ExpectedRefusal&) { return std::string("a refusal"); }},
                    expected);
}

}  // namespace gladius::train
