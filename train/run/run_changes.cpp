#include "gladius/train/run/run_changes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/run/json_object.h"
#include "gladius/train/run/run_keys.h"
#include "gladius/train/run/training_plan.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// "experts.0.steps" -> its value, null where there is none
Json value_of(const Json& run, std::string key) {
  std::ranges::replace(key, '.', '/');
  const Json::json_pointer pointer("/" + key);
  return run.contains(pointer) ? run.at(pointer) : Json();
}

// "steps 100 -> 200"
std::string describe(const std::string& key, const Json& before, const Json& after) {
  return fmt::format("{} {} -> {}", key, shown(value_of(before, key)), shown(value_of(after, key)));
}

// How step `step`, before which `updates` were made, would be another; empty if it would not.
std::string difference_at(const TrainingPlan& before, const TrainingPlan& after, std::int64_t step,
                          std::int64_t updates) {
  if (step >= after.total_steps()) return fmt::format("step {} is done already", step);
  const Stage &old_stage = before.stage_of(step), &new_stage = after.stage_of(step);
  if (old_stage.begin != new_stage.begin) {
    return fmt::format("step {} is done, and would be another expert's", step);
  }
  if (before.group_size(step) != after.group_size(step)) {
    return fmt::format(
        "the steps from {} on have made an update with fewer than gradient_accumulation steps, as "
        "they were the last",
        step);
  }
  if (before.synchronises(step) != after.synchronises(step)) {
    return fmt::format(
        "the ranks' weights were averaged after step {}, as it was the last "
        "(cluster.local_updates)",
        step);
  }
  if (before.schedule().factor(updates) != after.schedule().factor(updates)) {
    return fmt::format(
        "optimizer.schedule falls over the whole length, so the learning rate of step {} would be "
        "another",
        step);
  }
  return "";
}

// Whether there is a checkpoint to resume from that loses no more than a group, or what lies
// between two synchronisations.
bool can_go_on(const std::vector<std::int64_t>& checkpoints, std::int64_t usable,
               const RunConfig& config) {
  if (checkpoints.empty()) return true;  // from the beginning
  const std::int64_t most =
      config.gradient_accumulation * std::max<std::int64_t>(1, config.cluster.local_updates);
  return std::ranges::any_of(checkpoints, [&](std::int64_t step) {
    return step <= usable && step > checkpoints.back() - most;
  });
}

[[noreturn]] void refuse(const std::vector<std::string>& refused, const std::string& difference) {
  throw ConfigError(fmt::format(
      "resume: the run began with other values, and would be another run with these: {}{}; put "
      "them back, or begin one with another --out (student.init = the model of this one starts it "
      "from the trained weights)",
      fmt::join(refused, ", "), difference.empty() ? "" : " (" + difference + ")"));
}

}  // namespace

CommonSteps common_steps(const RunConfig& before, const RunConfig& after, std::int64_t limit) {
  const TrainingPlan old_plan(before), new_plan(after);
  std::int64_t updates = 0;
  for (std::int64_t step = 0; step < std::min(limit, old_plan.total_steps()); ++step) {
    std::string difference = difference_at(old_plan, new_plan, step, updates);
    if (!difference.empty()) return {.steps = step, .difference = std::move(difference)};
    updates += old_plan.ends_group(step);
  }
  return {.steps = limit, .difference = ""};
}

void require_same_run(const Json& run, const RunConfig& config) {
  if (run.is_null()) return;
  // Read again, since a later version may know more keys.
  const Json before = RunConfig::parse_recorded(run, "run").resolved(), now = config.resolved();
  for (const std::string& key : changed_keys(before, now)) {
    if (on_resume(key) == OnResume::refused)
      throw FormatError("it is of another run: " + describe(key, before, now));
  }
}

RunChanges check_resumable(const RunConfig& before, const RunConfig& after,
                           const std::vector<std::int64_t>& checkpoints) {
  const Json old_run = before.resolved(), new_run = after.resolved();
  RunChanges changes{
      .lines = {}, .of_length = false, .usable_steps = std::numeric_limits<std::int64_t>::max()};
  std::vector<std::string> refused, lengths;
  for (const std::string& key : changed_keys(old_run, new_run)) {
    const std::string line = describe(key, old_run, new_run);
    changes.lines.push_back(line);
    const OnResume rule = on_resume(key);
    if (rule == OnResume::length) lengths.push_back(line);
    if (rule == OnResume::refused) refused.push_back(line);
  }
  changes.of_length = !lengths.empty();
  std::string difference;
  if (changes.of_length && before.experts.size() == after.experts.size()) {
    const std::int64_t done = checkpoints.empty() ? 0 : checkpoints.back();
    CommonSteps common = common_steps(before, after, done);
    changes.usable_steps = common.steps;
    const bool is_longer = TrainingPlan(after).total_steps() >= done;
    if (!is_longer || !can_go_on(checkpoints, common.steps, before)) {
      refused.insert(refused.end(), lengths.begin(), lengths.end());
      difference = std::move(common.difference);
    }
  }
  if (!refused.empty()) refuse(refused, difference);
  return changes;
}

}  // namespace gladius::train
