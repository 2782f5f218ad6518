#include "gladius/train/complete_run.h"

#include <fmt/format.h>

#include "gladius/train/loop/best_model.h"
#include "gladius/train/loop/validation.h"
#include "gladius/train/report/hub/hub_card.h"
#include "gladius/train/report/report.h"
#include "gladius/train/report/run_record.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/kept_metrics.h"
#include "gladius/train/run/training_plan.h"

namespace gladius::train {

bool evaluates_again(const RunPaths& paths, const RunConfig& before, const RunConfig& config,
                     const FinishedModel& model, const RunEvents& events) {
  const bool outdated = is_evaluation_outdated(before, config, paths);
  const std::string changed = config.data.eval.empty() ? "" : model.wrong_evaluations;
  if (!outdated && changed.empty()) return false;
  const std::string wrong = outdated
                                ? paths.evaluation().string() + " is not of data.eval as it is now"
                                : (paths.directory / changed).string();
  if (newest_checkpoint(paths.checkpoints())) {
    if (!outdated) events.warn(wrong + "; student and experts are evaluated again");
    return true;
  }
  events.warn(
      fmt::format("{}, and there is no checkpoint to resume from; `gladius eval --model {} "
                  "--data FILE` evaluates the trained student",
                  wrong, paths.model().string()));
  return false;
}

void report_again(const RunConfig& config, RunDirectory& directory, const FinishedModel& model,
                  const RunEvents& events) {
  const RunPaths& paths = directory.paths();
  events.info(fmt::format("the run in {} is complete", paths.directory.string()));
  const KeptMetrics metrics =
      find_complete_metrics(paths.metrics(), model.metrics, TrainingPlan(config).total_steps());
  if (!metrics.warning.empty()) {
    events.warn(metrics.warning);
    keep_metrics(paths.metrics(), metrics);
  }
  std::string wrong = wrong_with_best(paths.best());
  if (wrong.empty()) wrong = model.wrong_best;
  if (config.keep_best && !wrong.empty()) {
    events.warn(
        fmt::format("{} is not what the run has written there ({})", paths.best().string(), wrong));
  }
  // The card names the data that the student was evaluated on.
  const bool evaluated = !is_evaluation_outdated(directory.config(), config, paths);
  RunRecord::read(paths);  // what cannot be read shows before anything is written
  directory.go_on({.run = config.resolved(),
                   .inputs = nullptr,
                   .student_config = nullptr,
                   .init_from = nullptr});
  if (evaluated) {
    renew_card(paths,
               [&](const auto& directory_of_model) { return hub_card(paths, directory_of_model); });
  }
  write_report(paths);
}

}  // namespace gladius::train
