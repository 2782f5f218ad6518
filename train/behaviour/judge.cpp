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

// As published: each expected call in turn takes the first call that is right for it and not taken.
// The first expected call that finds none; nothing if all do.
template <class IsRight>
const ExpectedCall* find_unmet(const std::vector<ExpectedCall>& expected,
                               const std::vector<Call>& calls, const IsRight& is_right) {
  std::vector<bool> taken(calls.size());
  for (const ExpectedCall& one : expected) {
    std::size_t i = 0;
    while (i < calls.size() && (taken[i] || !is_right(one, calls[i]))) ++i;
    if (i == calls.size()) return &one;
    taken[i] = true;
  }
  return nullptr;
}

Verdict judge_calls(const ExpectedCalls& expected, const std::string& output) {
  const std::vector<Call> calls = read_calls(output);
  if (calls.empty()) return {.reason = "no call could be read"};
  if (calls.size() != expected.calls.size()) {
    return {.parsed = true,
            .reason = fmt::format("{} calls instead of {}", calls.size(), expected.calls.size())};
  }
  const auto same_name = [](const ExpectedCall& one, const Call& call) {
    return one.name == call.name;
  };
  const auto same_arguments = [](const ExpectedCall& one, const Call& call) {
    return fault_of_arguments(call.arguments, one).empty();
  };
  const ExpectedCall* const unmet =
      find_unmet(expected.calls, calls, [&](const ExpectedCall& one, const Call& call) {
        return same_name(one, call) && same_arguments(one, call);
      });
  Verdict verdict{.parsed = true,
                  .name_right = find_unmet(expected.calls, calls, same_name) == nullptr,
                  .arguments_right = find_unmet(expected.calls, calls, same_arguments) == nullptr,
                  .right = unmet == nullptr,
                  .reason = {}};
  if (unmet != nullptr) {
    verdict.reason = fmt::format("none of the calls is that of {} with {}", in_quotes(unmet->name),
                                 unmet->arguments.dump());
  }
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

Json right_call(const ExpectedCall& call) {
  return {{"name", call.name}, {"arguments", right_arguments(call)}};
}

std::string describe_call(const ExpectedCall& call) {
  return fmt::format("a call of {} with {}", one_line(call.name), call.arguments.dump());
}

}  // namespace

Verdict judge(const Case& one, const std::string& output) {
  return std::visit(
      Overloaded{[&](const ExpectedCall& call) { return judge_call(call, output); },
                 [&](const ExpectedCalls& calls) { return judge_calls(calls, output); },
                 [&](const ExpectedText& text) { return judge_text(text, output); },
                 [&](const ExpectedSchema& schema) { return judge_schema(schema, output); },
                 [&](const ExpectedMatch& match) { return judge_match(match, output); },
                 [&](const ExpectedRefusal&) { return judge_refusal(output); }},
      one.expected);
}

std::optional<std::string> right_answer(const Case& one) {
  using Answer = std::optional<std::string>;
  return std::visit(
      Overloaded{[](const ExpectedCall& call) -> Answer { return right_call(call).dump(); },
                 [](const ExpectedCalls& expected) -> Answer {
                   Json calls = Json::array();
                   for (const ExpectedCall& call : expected.calls) {
                     calls.push_back(right_call(call));
                   }
                   return calls.dump();
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
  return std::visit(Overloaded{[](const ExpectedCall& call) { return describe_call(call); },
                               [](const ExpectedCalls& expected) {
                                 std::vector<std::string> calls;
                                 for (const ExpectedCall& call : expected.calls) {
                                   calls.push_back(describe_call(call));
                                 }
                                 return fmt::format("{}", fmt::join(calls, "; "));
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
