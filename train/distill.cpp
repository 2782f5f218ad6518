#include "gladius/train/distill.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/train/complete_run.h"
#include "gladius/train/following_run.h"
#include "gladius/train/loop/finished_model.h"
#include "gladius/train/loop/init_from.h"
#include "gladius/train/loop/input_checks.h"
#include "gladius/train/loop/run_inputs.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/fingerprint.h"
#include "gladius/train/run/overwrite.h"
#include "gladius/train/run/precision_choice.h"
#include "gladius/train/run/run_changes.h"
#include "gladius/train/run/run_directory.h"
#include "gladius/train/run/stop_request.h"
#include "gladius/train/run/training_plan.h"
#include "gladius/train/same_inputs.h"
#include "gladius/train/teacher/teacher_cache.h"
#include "gladius/train/training_run.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// Before anything is written.
TeacherCaches check_caches(const RunConfig& config, const Json& inputs,
                           const std::filesystem::path& out) {
  const std::int64_t vocab_size = ModelConfig::load(config.student.config).vocab_size;
  return {config, inputs, vocab_size, RunPaths{out}.teacher_cache()};
}

RunIdentity identity_of(const RunConfig& config, Json inputs) {
  return {.run = config.resolved(),
          .inputs = std::move(inputs),
          .student_config = ModelConfig::load(config.student.config).source,
          .init_from = nullptr};
}

void require_outside_of_models(const std::filesystem::path& out, const RunConfig& config) {
  if (config.student.init) require_outside("--out", out, *config.student.init);
  if (config.student.init_from) require_outside("--out", out, config.student.init_from->model);
  for (const ExpertConfig& expert : config.experts) require_outside("--out", out, expert.model);
}

RunOutcome execute(TrainingRun& run, Ranks* ranks) {
  const RunOutcome outcome = run.execute();
  if (ranks) ranks->announce(Ranks::Next::end);
  return outcome;
}

RunOutcome begin_run(const RunConfig& config, const std::filesystem::path& out,
                     const RunEvents& events, Ranks* ranks) {
  require_outside_of_models(out, config);
  RunInputs inputs = read_inputs(config, events);
  const Json described = describe_inputs(config);
  TeacherCaches caches = check_caches(config, described, out);
  RunIdentity identity = identity_of(config, described);
  if (inputs.init_from) identity.init_from = inputs.init_from->to_json();
  RunDirectory directory = RunDirectory::create(out, identity);
  TrainingRun run = TrainingRun::assemble(config, std::move(inputs), std::move(caches),
                                          std::move(directory), events, ranks);
  return execute(run, ranks);
}

// What the run began with must still be there.
Json known_inputs(const RunDirectory& directory, const RunConfig& config, const RunEvents& events) {
  Json inputs;
  try {
    inputs = directory.inputs();
  } catch (const Error& error) {
    events.warn(fmt::format(
        "the sums of the data and models that the run began with are lost ({}), so nobody can say "
        "whether they are still the same; those of now are written in their place",
        error.what()));
    return describe_inputs(config);
  }
  check_inputs(inputs, config);
  return inputs;
}

RunChanges compare_run_files(const RunDirectory& directory, const RunConfig& before,
                             const RunConfig& config, const RunEvents& events) {
  std::vector<std::int64_t> checkpoints;
  for (const CheckpointEntry& entry : list_checkpoints(directory.paths().checkpoints())) {
    checkpoints.push_back(entry.step);
  }
  RunChanges changes = check_resumable(before, config, checkpoints);
  if (!changes.lines.empty()) {
    events.info(fmt::format("the run file has changed: {}", fmt::join(changes.lines, ", ")));
  }
  return changes;
}

// What the file leaves out or open is as the run began.
RunConfig as_begun(RunConfig config, const RunConfig& before, const RunEvents& events) {
  if (!config.says_normalization) config.loss.normalization = before.loss.normalization;
  if (config.precision == PrecisionChoice::automatic) config.precision = before.precision;
  config.precision = settle_precision(config.precision, events.info, events.warn);
  return settle_init_from(std::move(config), before);
}

// A checkpoint has all that the student began with.
RunConfig what_is_read(RunConfig config, const RunPaths& paths) {
  if (newest_checkpoint(paths.checkpoints())) config.student.init_from.reset();
  return config;
}

RunOutcome resume_run(const RunConfig& given, const std::filesystem::path& out,
                      const RunEvents& events, Ranks* ranks) {
  RunDirectory directory = RunDirectory::open(out);
  const RunPaths paths = directory.paths();
  const RunConfig before = directory.config();
  const RunConfig config = as_begun(given, before, events);
  const RunChanges changes = compare_run_files(directory, before, config, events);
  const FinishedModel model =
      look_at_model(paths, TrainingPlan(before).total_steps(), Look::every_byte);
  if (model.status == ModelStatus::whole && !changes.of_length &&
      !evaluates_again(paths, before, config, model, events)) {
    report_again(config, directory, model, events);
    if (ranks) send_no_start(*ranks);
    const std::int64_t steps = TrainingPlan(config).total_steps();
    return {.complete = true, .steps = steps, .total_steps = steps};
  }
  const RunConfig needed = what_is_read(config, paths);
  const Json inputs = known_inputs(directory, needed, events);
  RunInputs read = read_inputs(needed, events);
  TrainingRun run =
      TrainingRun::assemble(config, std::move(read), check_caches(config, inputs, out),
                            std::move(directory), events, ranks);
  run.go_back(changes.usable_steps, identity_of(config, inputs));
  if (!model.wrong_evaluations.empty()) run.distrust_experts();
  if (model.status == ModelStatus::damaged) set_aside_model(paths, model.reason, events.warn);
  return execute(run, ranks);
}

// A stop may also be asked for in the run's directory.
RunEvents with_stop_request(RunEvents events, const RunPaths& paths) {
  events.stop_requested = [ask = events.stop_requested, info = events.info, told = false,
                           request = StopRequest(paths)]() mutable {
    const bool asked = request.seen();
    if (asked && !std::exchange(told, true)) info("a stop is asked for, by `gladius watch`");
    return ask() || asked;
  };
  return events;
}

}  // namespace

RunOutcome distill(const RunConfig& config, const std::filesystem::path& out, bool resume,
                   const RunEvents& observer, Ranks* ranks) {
  if (!ranks && config.cluster.local_updates > 0) {
    observer.info(fmt::format(
        "one process: of cluster.local_updates {} the outer steps are left; the run stops only "
        "behind one",
        config.cluster.local_updates));
    cluster::SolitaryCommunicator communicator;
    Ranks alone(communicator);
    return distill(config, out, resume, observer, &alone);
  }
  for (const std::string& note : config.notes) observer.info(note);
  RunConfig settled = settle_vocabularies(config);
  if (ranks && ranks->size() > 1) require_same_inputs(*ranks, settled);
  if (ranks && !ranks->leads()) {
    follow(settled, out, *ranks, observer);
    return {};
  }
  const RunEvents events = with_stop_request(observer, {out});
  if (resume) return resume_run(settled, out, events, ranks);
  settled = settle_init_from(std::move(settled));
  settled.precision = settle_precision(settled.precision, events.info, events.warn);
  return begin_run(settled, out, events, ranks);
}

}  // namespace gladius::train
