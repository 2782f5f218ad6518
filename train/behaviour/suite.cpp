#include "gladius/train/behaviour/suite.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/behaviour/bfcl_suite.h"
#include "gladius/train/behaviour/case_parts.h"
#include "gladius/train/data/json_lines.h"

namespace gladius::train {
namespace {

Suite read_own_suite(const JsonLines& lines, const std::function<void(const std::string&)>& warn) {
  Suite suite;
  std::vector<std::string> unknown;
  std::set<std::string> ids;
  for (std::int64_t i = 0; i < lines.size(); ++i) {
    const bool none_before = unknown.empty();
    lines.use_line(i, [&](const std::string& line) {
      for (Case& one : parse_cases(line, unknown)) {
        require_new_id(ids, one.id);
        suite.cases.push_back(std::move(one));
      }
    });
    if (none_before && !unknown.empty()) {
      warn(fmt::format("{}: {} is no part of a case and is ignored, here and in later lines",
                       lines.place(i), in_quotes(unknown.front())));
    }
  }
  return suite;
}

bool begins_with_bfcl_case(const JsonLines& lines) {
  bool found = false;
  if (lines.size() > 0) {
    lines.use_line(0, [&](const std::string& line) { found = is_bfcl_case(parse_json(line)); });
  }
  return found;
}

}  // namespace

std::span<const ExpectedCall> expected_calls(const Expectation& expected) {
  if (const auto* one = std::get_if<ExpectedCall>(&expected)) return {one, 1};
  const auto* several = std::get_if<ExpectedCalls>(&expected);
  return several != nullptr ? std::span<const ExpectedCall>(several->calls)
                            : std::span<const ExpectedCall>();
}

Suite read_suite(const std::filesystem::path& file, const std::filesystem::path& answers,
                 const std::function<void(const std::string&)>& warn) {
  const JsonLines lines(file, nullptr);
  const bool bfcl = begins_with_bfcl_case(lines);
  if (bfcl && answers.empty()) {
    throw ConfigError(fmt::format(
        "{} is a file of the Berkeley Function Calling Leaderboard: give the file with its right "
        "answers as well (possible_answer/{}) with --answers",
        file.string(), file.filename().string()));
  }
  if (!bfcl && !answers.empty()) {
    throw ConfigError(fmt::format(
        "{} is no file of the Berkeley Function Calling Leaderboard, which alone has its right "
        "answers in another file; leave out --answers",
        file.string()));
  }
  Suite suite = bfcl ? read_bfcl_suite(lines, answers) : read_own_suite(lines, warn);
  if (!suite.cases.empty()) return suite;
  std::int64_t skipped = 0;
  for (const auto& [why, count] : suite.skipped) skipped += count;
  throw FormatError(
      fmt::format("{}: there is no case{}", file.string(),
                  skipped > 0 ? fmt::format(" that can be judged ({} skipped)", skipped) : ""));
}

}  // namespace gladius::train
