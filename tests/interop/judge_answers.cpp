// The verdicts on a model's answers to a suite's cases, for the comparison with BFCL's own checker:
// JSON lines {"id", "output"} from a file to JSON lines {"id", "parsed", "name_right",
// "arguments_right", "right", "reason", "calls"}; the last line is the ceiling, with what was
// skipped.
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/train/behaviour/call_reader.h"
#include "gladius/train/behaviour/judge.h"
#include "gladius/train/behaviour/suite_evaluation.h"

namespace {

using Json = nlohmann::ordered_json;
using gladius::train::Case;

Json verdict_of(const std::map<std::string, const Case*>& cases, const Json& answer) {
  const Case& one = *cases.at(answer.at("id").get<std::string>());
  const auto output = answer.at("output").get<std::string>();
  const auto verdict = gladius::train::judge(one, output);
  Json calls = Json::array();
  for (const auto& call : gladius::train::read_calls(output)) {
    calls.push_back({{call.name, call.arguments}});
  }
  return {{"id", one.id},
          {"parsed", verdict.parsed},
          {"name_right", verdict.name_right},
          {"arguments_right", verdict.arguments_right},
          {"right", verdict.right},
          {"reason", verdict.reason},
          {"calls", std::move(calls)}};
}

void judge_all(const char* suite_file, const char* outputs_file, const char* answers_file) {
  const gladius::train::Suite suite = gladius::train::read_suite(
      suite_file, answers_file, [](const std::string& text) { std::cerr << text << '\n'; });
  std::map<std::string, const Case*> cases;
  for (const Case& one : suite.cases) cases[one.id] = &one;
  std::ifstream outputs(outputs_file);
  for (std::string line; std::getline(outputs, line);) {
    std::cout << verdict_of(cases, Json::parse(line)).dump() << '\n';
  }
  const auto ceiling = gladius::train::find_ceiling(suite);
  std::cout << Json{{"cases", ceiling.cases},
                    {"all_right", ceiling.all_right},
                    {"failed", ceiling.failed},
                    {"skipped", suite.skipped}}
                   .dump()
            << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::cerr << "usage: judge_answers SUITE.jsonl OUTPUTS.jsonl [ANSWERS]\n";
    return 2;
  }
  try {
    judge_all(argv[1], argv[2], argc == 4 ? argv[3] : "");
  } catch (const gladius::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
