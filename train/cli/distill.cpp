// gladius distill: the main job.
#include "gladius/train/distill.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/tensor/error.h"
#include "progress.h"
#include "stop_signals.h"
#include "support.h"

namespace gladius::cli {
namespace {

struct DistillArguments {
  std::string run_file, out;
  std::vector<std::string> overrides;
  bool resume = false;
};

// "configs/default/expert.run.json" -> "runs/expert"
std::string default_out(const std::string& run_file) {
  std::string stem = std::filesystem::path(run_file).stem().string();
  if (stem.ends_with(".run")) stem.resize(stem.size() - 4);
  return "runs/" + stem;
}

// The command line that goes on with this run.
std::string resume_command(const DistillArguments& options) {
  std::string command = fmt::format("gladius distill {} --out {}", options.run_file, options.out);
  for (const std::string& override_ : options.overrides) command += " --set '" + override_ + "'";
  return command + " --resume";
}

void run(DistillArguments options, const Common& common) {
  if (options.out.empty()) options.out = default_out(options.run_file);
  const RunConfig config = RunConfig::load(options.run_file, options.overrides);
  const bool quiet = common.log_level == "error" || common.log_level == "warning";
  Progress progress({.log_every = config.log_every, .json = common.json, .quiet = quiet});
  const StopSignals signals;
  const RunOutcome outcome =
      distill(config, options.out, options.resume,
              {.begin = [&](const TrainingPlan& plan,
                            const TrainerState& state) { progress.begin(plan, state); },
               .step = [&](const StepRecord& record) { progress.step(record); },
               .info =
                   [&](const std::string& text) {
                     if (!quiet) progress.message(text);
                   },
               .warn =
                   [&](const std::string& text) {
                     if (common.log_level != "error") progress.message("warning: " + text);
                   },
               .stop_requested = [&] { return signals.requested(); },
               .evaluating = [&](const std::string& what) { progress.evaluating(what); }});
  if (!outcome.complete) {
    throw Error(fmt::format("stopped after {} of {} steps, with a checkpoint; to go on: {}",
                            outcome.steps, outcome.total_steps, resume_command(options)));
  }
  if (progress.lost_output()) {
    throw IoError(fmt::format("{}; the run itself is complete, in {}",
                              progress.lost_output()->what(), options.out));
  }
  if (!quiet) progress.message(fmt::format("done: {}/model, report.md, report.html", options.out));
}

}  // namespace

void add_distill(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "distill",
      "Trains a student on its experts, or on data alone where there are none. While it goes on "
      "`gladius report` shows how it stands, and TensorBoard reads its directory",
      "gladius distill configs/default/distill.run.json --out runs/mine --set optimizer.lr=2e-4");
  const auto options = std::make_shared<DistillArguments>();
  add_subject(*command, "--run,RUN.json", options->run_file, "The run file");
  command->add_option("--out", options->out, "Run directory (default: runs/ and the file's name)");
  command
      ->add_option("--set", options->overrides,
                   "path.to.key=value in place of the file's (JSON or text; paths begin at the "
                   "file's directory)")
      ->allow_extra_args(false);
  command->add_flag("--resume", options->resume,
                    "Go on with the run in the directory from its newest checkpoint");
  command->callback([options, &common] { run(*options, common); });
}

}  // namespace gladius::cli
