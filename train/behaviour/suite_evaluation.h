// A suite answered and judged.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gladius/train/behaviour/answers.h"
#include "gladius/train/behaviour/scores.h"
#include "gladius/train/behaviour/suite.h"

namespace gladius::train {

struct JudgedAnswer {
  Answer answer;
  Verdict verdict;
};

/// What the suite's own right answers score by the same rules: less than all where the suite has
/// faults.
struct Ceiling {
  std::int64_t cases = 0, all_right = 0;
  std::int64_t unknown = 0;         // cases for which no right answer can be built
  std::vector<std::string> failed;  // their ids
};

struct SuiteEvaluation {
  Scores scores;
  std::vector<JudgedAnswer> answers;  // in the suite's order
  std::int64_t cut = 0;               // answers
  Ceiling ceiling;
};

/// `answers` are in the order of the cases.
SuiteEvaluation evaluate_suite(const Suite& suite, std::vector<Answer> answers);

Ceiling find_ceiling(const Suite& suite);

/// {"cases", "parsed", ..., "all_right", "interval", "categories": {NAME: {"cases", ...}}, "cut",
/// "ceiling", "skipped"}; with `each_case` also "answers": [{"id", "category", "output", "right",
/// "parsed", "name_right", "reason", "expected"}].
nlohmann::ordered_json to_json(const SuiteEvaluation& evaluation, const Suite& suite,
                               bool each_case);

}  // namespace gladius::train
