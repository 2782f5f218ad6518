// gladius distill: the main job.
#include "gladius/train/distill.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "commands.h"
#include "distill_ranks.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/precision.h"
#include "gladius/train/run/run_keys.h"
#include "output.h"
#include "progress.h"
#include "stop_signals.h"
#include "support.h"

namespace gladius::cli {
namespace {

struct DistillArguments {
  std::string run_file, out;
  std::vector<std::string> overrides;
  bool resume = false;
  bool keys = false;
};

// "configs/default/expert.run.json" -> "runs/expert"
std::string default_out(const std::string& run_file) {
  std::string stem = std::filesystem::path(run_file).stem().string();
  if (stem.ends_with(".run")) stem.resize(stem.size() - 4);
  return "runs/" + stem;
}

// The command line that resumes this run: where a script runs the program, the script's.
std::string resume_command(const DistillArguments& options) {
  if (const char* typed = std::getenv("GLADIUS_RESUME_COMMAND")) return typed;
  const auto launch = cluster::find_launch();
  std::string command = fmt::format("{}gladius distill {} --out {}",
                                    launch ? fmt::format("mpirun -n {} ", launch->size) : "",
                                    options.run_file, options.out);
  for (const std::string& override_ : options.overrides) command += " --set '" + override_ + "'";
  return command + " --resume";
}

// What is said when the run ends early.
std::string stop_message(std::int64_t steps, std::int64_t total, const DistillArguments& options) {
  if (steps == 0) {
    return fmt::format("stopped before the first step was done; to resume: {}",
                       resume_command(options));
  }
  return fmt::format("stopped after {} of {} steps, with a checkpoint; to resume: {}", steps, total,
                     resume_command(options));
}

// The run is complete. IoError if some of what was to be printed is lost.
void tell_done(Progress& progress, const Common& common, const std::string& out) {
  if (progress.lost_output()) {
    throw IoError(
        fmt::format("{}; the run itself is complete, in {}", progress.lost_output()->what(), out));
  }
  if (common.log_level < LogLevel::info) return;
  progress.message(fmt::format("done: {}/model, report.md, report.html", out));
}

// Where a run is, for the bar, the table and the signals that may end it.
class Watch {
 public:
  Watch(const DistillArguments& options, const Common& common, std::int64_t log_every)
      : options_(options),
        quiet_(common.log_level < LogLevel::info),
        silent_(common.log_level == LogLevel::error),
        progress_({.log_every = log_every, .json = common.json, .quiet = quiet_}),
        signals_(options.resume
                     ? fmt::format("stopped before the run resumed, and nothing was changed; to "
                                   "resume: {}",
                                   resume_command(options))
                     : "stopped before the run began; the same command begins it") {}

  train::RunEvents events() {
    return {.begin = [this](const train::TrainingPlan& plan,
                            const train::TrainerState& state) { begin(plan, state); },
            .step = [this](const train::StepRecord& record) { progress_.step(record); },
            .info =
                [this](const std::string& text) {
                  if (!quiet_) progress_.message(text);
                },
            .warn =
                [this](const std::string& text) {
                  const bool is_new = warned_.insert(text).second;  // an expert is read twice
                  if (is_new && !silent_) progress_.message("warning: " + text);
                },
            .stop_requested = [this] { return signals_.requested(); },
            .evaluating = [this](const std::string& what) { progress_.evaluating(what); },
            .unsaved = [this](bool unsaved, std::int64_t steps) { set_unsaved(unsaved, steps); }};
  }
  Progress& progress() { return progress_; }

 private:
  void begin(const train::TrainingPlan& plan, const train::TrainerState& state) {
    total_ = plan.total_steps();
    progress_.begin(plan, state);
    set_unsaved(false, state.step);
  }
  void set_unsaved(bool unsaved, std::int64_t steps) {
    if (unsaved) {
      signals_.wait_for_step();
    } else {
      signals_.end_at_once(stop_message(steps, total_, options_));
    }
  }

  const DistillArguments& options_;
  bool quiet_, silent_;
  Progress progress_;
  StopSignals signals_;
  std::int64_t total_ = 0;
  std::set<std::string> warned_;
};

void print_keys(const Common& common) {
  if (!common.json) return print("{}", train::run_keys_text());
  nlohmann::ordered_json list;
  for (const train::RunKeyDescription& key : train::describe_run_keys()) {
    list.push_back({{"key", key.path},
                    {"value", key.expects},
                    {"default", key.default_value},
                    {"resume", name_of(key.on_resume)},
                    {"meaning", key.meaning}});
  }
  print_json(list);
}

// The events of a rank: what the run says is rank 0's to show.
train::RunEvents rank_events(RankProcess& process, Progress& progress, const Common& common) {
  train::RunEvents events;
  if (process.leads()) {
    const bool quiet = common.log_level < LogLevel::info;
    const auto warned = std::make_shared<std::set<std::string>>();
    events.step = [&](const train::StepRecord& record) { progress.step(record); };
    events.info = [&progress, quiet](const std::string& text) {
      if (!quiet) progress.message(text);
    };
    events.warn = [&progress, &common, warned](const std::string& text) {
      const bool is_new = warned->insert(text).second;
      if (is_new && common.log_level != LogLevel::error) progress.message("warning: " + text);
    };
    events.evaluating = [&](const std::string& what) { progress.evaluating(what); };
    events.stop_requested = [&] { return process.stop_requested(); };
  }
  events.begin = [&](const train::TrainingPlan& plan, const train::TrainerState& state) {
    process.begun();
    progress.begin(plan, state);
  };
  return events;
}

void run_as_rank(const DistillArguments& options, const Common& common,
                 const cluster::Launch& launch) {
  RankProcess process(launch, common.threads, resume_command(options));
  const train::RunConfig config =
      process.load([&] { return train::RunConfig::load(options.run_file, options.overrides); });
  Progress progress({.log_every = config.log_every,
                     .json = common.json,
                     .quiet = common.log_level < LogLevel::info});
  train::RunOutcome outcome;
  try {
    process.watch(config.cluster,
                  [](const std::string& text) { log("gladius: {}\n", message_line(text)); });
    outcome = train::distill(config, options.out, options.resume,
                             rank_events(process, progress, common), &process.ranks());
  } catch (const std::exception& error) {
    process.fail(error.what());
  }
  process.leave();
  if (!process.leads()) return;
  if (!outcome.complete) {
    throw Error(stop_message(outcome.steps, outcome.total_steps, options));
  }
  tell_done(progress, common, options.out);
}

void run(DistillArguments options, const Common& common) {
  if (options.keys) return print_keys(common);
  if (options.run_file.empty()) throw CLI::RequiredError("--run");
  if (options.out.empty()) options.out = default_out(options.run_file);
  if (common.precision) {
    options.overrides.push_back(fmt::format("precision={}", name_of(*common.precision)));
  }
  const PrecisionScope exact(Precision::f32);  // of what evaluates; steps have the run's
  if (const auto launch = cluster::find_launch()) return run_as_rank(options, common, *launch);
  const train::RunConfig config = train::RunConfig::load(options.run_file, options.overrides);
  Watch watch(options, common, config.log_every);
  const train::RunOutcome outcome =
      train::distill(config, options.out, options.resume, watch.events());
  if (!outcome.complete) {
    throw Error(stop_message(outcome.steps, outcome.total_steps, options));
  }
  tell_done(watch.progress(), common, options.out);
}

}  // namespace

void add_distill(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "distill",
      "Trains a student on its experts, or on data alone where there are none. While it goes on "
      "`gladius report` shows how it stands, and TensorBoard reads its directory",
      "gladius distill configs/default/distill.run.json --out runs/mine --set optimizer.lr=2e-4");
  const auto options = std::make_shared<DistillArguments>();
  add_subject(*command, "--run,RUN.json", options->run_file, "The run file")
      ->type_name("FILE")
      ->required(false);
  command->add_flag("--keys", options->keys,
                    "Print what a run file may say: each key, its default and what it means");
  command->add_option("--out", options->out, "Run directory (default: runs/ and the file's name)")
      ->type_name("DIR");
  command
      ->add_option("--set", options->overrides,
                   "path.to.key=value in place of the file's (JSON or text; paths begin at the "
                   "file's directory)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--resume", options->resume,
                    "Go on with the run in the directory from its newest checkpoint");
  command->callback([options, &common] { run(*options, common); });
}

}  // namespace gladius::cli
