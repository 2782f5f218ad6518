#include "gladius/train/behaviour/suite_evaluation.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

Json case_to_json(const Case& one, const JudgedAnswer& judged) {
  const bool call = !expected_calls(one.expected).empty();
  Json json{{"id", one.id},
            {"category", one.category},
            {"output", judged.answer.text},
            {"right", judged.verdict.right},
            {"parsed", judged.verdict.parsed}};
  if (call) {
    json["name_right"] = judged.verdict.name_right;
    json["arguments_right"] = judged.verdict.arguments_right;
  }
  json.update({{"cut", judged.answer.cut},
               {"reason", judged.verdict.reason},
               {"expected", describe(one.expected)}});
  return json;
}

Json ceiling_to_json(const Ceiling& ceiling) {
  return {{"cases", ceiling.cases},
          {"all_right", ceiling.all_right},
          {"unknown", ceiling.unknown},
          {"failed", ceiling.failed}};
}

}  // namespace

SuiteEvaluation evaluate_suite(const Suite& suite, std::vector<Answer> answers) {
  SuiteEvaluation evaluation{.scores = {}, .answers = {}, .cut = 0, .ceiling = find_ceiling(suite)};
  for (std::size_t i = 0; i < suite.cases.size(); ++i) {
    JudgedAnswer judged{.answer = std::move(answers.at(i)), .verdict = {}};
    judged.verdict = judge(suite.cases[i], judged.answer.text);
    evaluation.cut += judged.answer.cut;
    evaluation.scores.add(suite.cases[i], judged.verdict);
    evaluation.answers.push_back(std::move(judged));
  }
  return evaluation;
}

Ceiling find_ceiling(const Suite& suite) {
  Ceiling ceiling;
  for (const Case& one : suite.cases) {
    const auto answer = right_answer(one);
    if (!answer) {
      ++ceiling.unknown;
      continue;
    }
    ++ceiling.cases;
    if (judge(one, *answer).right) {
      ++ceiling.all_right;
    } else {
      ceiling.failed.push_back(one.id);
    }
  }
  return ceiling;
}

Json to_json(const SuiteEvaluation& evaluation, const Suite& suite, bool each_case) {
  Json json = evaluation.scores.total.to_json();
  Json& categories = json["categories"] = Json::object();
  for (const auto& [name, score] : evaluation.scores.categories) {
    categories[name] = score.to_json();
  }
  json["cut"] = evaluation.cut;
  json["ceiling"] = ceiling_to_json(evaluation.ceiling);
  json["skipped"] = suite.skipped;
  if (!each_case) return json;
  Json& answers = json["answers"] = Json::array();
  for (std::size_t i = 0; i < suite.cases.size(); ++i) {
    answers.push_back(case_to_json(suite.cases[i], evaluation.answers[i]));
  }
  return json;
}

}  // namespace gladius::train
