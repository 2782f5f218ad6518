#include "gladius/train/distill.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <optional>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/text_file.h"
#include "gladius/train/checkpoint.h"
#include "gladius/train/complete_run.h"
#include "gladius/train/data_log.h"
#include "gladius/train/environment.h"
#include "gladius/train/fingerprint.h"
#include "gladius/train/finished_model.h"
#include "gladius/train/nonfinite.h"
#include "gladius/train/overwrite.h"
#include "gladius/train/report/report.h"
#include "gladius/train/resume.h"
#include "gladius/train/run_changes.h"
#include "gladius/train/run_directory.h"
#include "gladius/train/run_inputs.h"
#include "gladius/train/snapshot.h"
#include "gladius/train/staged_directory.h"
#include "gladius/train/teacher_cache.h"
#include "gladius/train/tensorboard/event_file.h"
#include "gladius/train/timeline.h"
#include "gladius/train/trainer.h"
#include "gladius/train/validation.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

class Run {
 public:
  Run(const RunConfig& config, RunInputs inputs, TeacherCaches caches, RunDirectory directory,
      const RunEvents& events)
      : config_(config),
        student_(std::move(inputs.student)),
        data_log_(std::move(inputs.data_log)),
        directory_(std::move(directory)),
        events_(events),
        validation_(config, std::move(inputs.eval_examples), directory_.paths(), events),
        caches_(std::move(caches)),
        trainer_(config, student_, std::move(inputs.examples), events.warn,
                 [this](std::size_t expert) { return caches_.open(expert, events_.warn); }) {}

  /// Goes back to the newest checkpoint of at most `last_step` steps. From here on the directory
  /// is changed.
  void go_back(std::int64_t last_step, const RunIdentity& identity) {
    const RunPaths& paths = directory_.paths();
    const ResumePoint point =
        find_resume_point(paths, last_step, [this](const Checkpoint& checkpoint) {
          require_same_run(checkpoint.run, config_);
          trainer_.restore(checkpoint);
        });
    directory_.go_on(identity);
    return_to(point, paths, config_.keep_checkpoints, events_.warn);
    if (!point.found) return;
    validation_.restore(point.found->checkpoint.best, trainer_.plan().total_steps());
    unevaluated_ = point.found->checkpoint.unevaluated;
  }

  /// Evaluates all experts again.
  void distrust_experts() { validation_.distrust_experts(); }

  RunOutcome execute() {
    begin();
    if (!evaluate_experts_before() || !end_step()) return stopped();
    while (!trainer_.done()) {
      if (!begin_stage()) return stopped();
      step();
      bool stop = events_.stop_requested();
      const bool due = trainer_.state().step % config_.checkpoint_every == 0;
      // The last step's makes sure that a failure to evaluate or to save costs no training.
      if (stop || due || trainer_.done()) {
        save_checkpoint();
        stop = stop || events_.stop_requested();
      }
      if (stop || !end_step()) return stopped();
    }
    return finish();
  }

 private:
  void begin() {
    events_.begin(trainer_.plan(), trainer_.state());  // from here on --resume goes on
    const std::int64_t step = trainer_.state().step;
    directory_.note(step == 0 ? "training started" : fmt::format("resumed at step {}", step));
    const RunPaths& paths = directory_.paths();
    record_environment(paths.environment(), events_.warn);
    metrics_.emplace(paths.metrics());
    tensorboard_.emplace(paths.events(), read_metrics(paths.metrics()));
    validation_.begin();
    data_log_.announce(events_.info, events_.warn);
    write_data_counts();
  }

  // For the report.
  void write_data_counts() const {
    const Json counts = data_log_.to_json(trainer_.state().data_read);
    write_text_file(directory_.paths().data(), counts.dump(2) + "\n");
  }

  // Those whose stages have ended, where that is still to be done: data.eval may be another now.
  // False if a stop was asked for.
  bool evaluate_experts_before() {
    for (const Stage& stage : trainer_.plan().stages()) {
      if (!stage.expert || stage.end > trainer_.state().step) continue;
      if (!validation_.evaluate_expert(*stage.expert)) return false;
    }
    return true;
  }

  // False if a stop was asked for while the expert was loaded or evaluated.
  bool begin_stage() {
    const std::int64_t step = trainer_.state().step;
    const Stage& stage = trainer_.plan().stage_of(step);
    if (&stage == stage_ || !stage.expert) return true;
    stage_ = &stage;
    if (step == stage.begin) {
      directory_.note(fmt::format("step {}: expert {} begins", step, stage.expert->name));
    }
    trainer_.enter_stage();
    if (!events_.stop_requested() && validation_.evaluate_expert(*stage.expert)) return true;
    save_checkpoint();
    return false;
  }

  void step() {
    const StepRecord record = trainer_.step();
    set_unsaved(true);
    if (trainer_.diverged()) {
      write(record);
      fail_with_snapshot(record);
    }
    // The last one's line waits in every run: the next to go on from there may be longer, or
    // evaluate on other data.
    if (trainer_.done() || is_evaluation_due()) {
      unevaluated_ = record;
    } else {
      write(record);
    }
  }

  bool is_evaluation_due() const {
    return validation_.due(trainer_.state().step, trainer_.plan().total_steps());
  }

  void write(const StepRecord& record) {
    metrics_->append(record);
    tensorboard_->append(record);
    events_.step(record);
  }

  // Writes the last step's line if it still waits, with its evaluation if that is due. False if a
  // stop was asked for.
  bool end_step() {
    if (!unevaluated_) return true;
    if (is_evaluation_due() && !evaluate_step()) return false;
    write(*unevaluated_);
    if (unevaluated_->evaluation) validation_.tell(*unevaluated_);
    unevaluated_.reset();
    return true;
  }

  // False if a stop was asked for.
  bool evaluate_step() {
    try {
      unevaluated_->evaluation = validation_.evaluate_student(*student_, unevaluated_->step);
    } catch (...) {
      save_checkpoint();  // a failure to evaluate costs no training
      throw;
    }
    if (!unevaluated_->evaluation) save_checkpoint();
    return unevaluated_->evaluation.has_value();
  }

  [[noreturn]] void fail_with_snapshot(const StepRecord& record) const {
    const RunPaths& paths = directory_.paths();
    const TrainerState& state = trainer_.state();
    write_snapshot(paths, *student_, trainer_.last_batch(), record);
    directory_.note(fmt::format("step {}: given up, not finite", record.step));
    throw Error(
        fmt::format("step {}: {} updates in a row were skipped{} for a loss or gradient that is "
                    "not finite; the "
                    "model, the batch and the step's metrics are in {}; a smaller optimizer.lr or "
                    "optimizer.max_grad_norm may help, from the start with another --out",
                    record.step, state.skipped_in_a_row,
                    state.skipped_updates == state.updates ? ", all of the run's," : "",
                    paths.snapshot().string()));
  }

  void save_checkpoint() {
    const auto start = std::chrono::steady_clock::now();
    Checkpoint checkpoint = trainer_.checkpoint();
    checkpoint.metrics = metrics_->sync();
    checkpoint.unevaluated = unevaluated_;
    checkpoint.best = validation_.best();
    checkpoint.run = config_.resolved();
    tensorboard_->sync();
    gladius::save_checkpoint(directory_.paths().checkpoints(), checkpoint,
                             config_.keep_checkpoints);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    write_data_counts();
    directory_.note(
        fmt::format("{}{}, in {:.2f} s", kCheckpointEvent, checkpoint.state.step, time.count()));
    set_unsaved(false);
  }

  void set_unsaved(bool unsaved) const { events_.unsaved(unsaved, trainer_.state().step); }

  RunOutcome stopped() const {
    directory_.note(fmt::format("stopped at step {}", trainer_.state().step));
    return outcome(false);
  }

  // The model comes last: its presence says that the run is complete.
  RunOutcome finish() {
    const MetricsMark metrics = metrics_->sync();
    if (const auto own = directory_.paths().teacher_cache(); std::filesystem::exists(own)) {
      remove_directory(own);  // all that it was for is done
    }
    tensorboard_->sync();
    const TrainerState& state = trainer_.state();
    if (state.skipped_lines > 0) {
      events_.info(fmt::format("{} bad lines of the data were passed over", state.skipped_lines));
    }
    if (state.skipped_updates > 0) {
      events_.warn(
          fmt::format("{} of {} updates were skipped, for a loss or gradient that was not "
                      "finite",
                      state.skipped_updates, state.updates));
    }
    require_finite_student();
    data_log_.conclude(state.data_read, events_.info, events_.warn);
    if (!validation_.finish(*student_)) return stopped();
    save_finished_model(directory_.paths(), *student_, config_.student, state.step, metrics);
    directory_.note("training finished");
    write_report(directory_.paths());
    return outcome(true);
  }

  // What is broken is not marked as complete.
  void require_finite_student() const {
    const auto broken = nonfinite_parameter(*student_);
    if (!broken) return;
    directory_.note("given up, the weights are not finite");
    throw Error(
        fmt::format("the student's weights are not finite ({}), so no model is written; "
                    "checkpoints are in {}; a smaller optimizer.lr or "
                    "optimizer.max_grad_norm may help, from the start with another --out",
                    *broken, directory_.paths().checkpoints().string()));
  }

  RunOutcome outcome(bool complete) const {
    return {.complete = complete,
            .steps = trainer_.state().step,
            .total_steps = trainer_.plan().total_steps()};
  }

  const RunConfig& config_;
  std::shared_ptr<LanguageModel> student_;
  DataLog data_log_;
  RunDirectory directory_;
  const RunEvents& events_;
  Validation validation_;
  const Stage* stage_ = nullptr;           // that has begun in this process
  std::optional<StepRecord> unevaluated_;  // of the last step, while its line is to be written
  TeacherCaches caches_;
  Trainer trainer_;
  std::optional<MetricsFile> metrics_;    // since the run has begun
  std::optional<EventFile> tensorboard_;  // the same
};

// Before anything is written.
TeacherCaches check_caches(const RunConfig& config, const Json& inputs,
                           const std::filesystem::path& out) {
  const std::int64_t vocab_size = ModelConfig::load(config.student.config).vocab_size;
  return {config, inputs, vocab_size, RunPaths{out}.teacher_cache()};
}

RunIdentity identity_of(const RunConfig& config, Json inputs) {
  return {.run = config.resolved(),
          .inputs = std::move(inputs),
          .student_config = ModelConfig::load(config.student.config).source};
}

void require_outside_of_models(const std::filesystem::path& out, const RunConfig& config) {
  if (config.student.init) require_outside("--out", out, *config.student.init);
  for (const ExpertConfig& expert : config.experts) require_outside("--out", out, expert.model);
}

RunOutcome begin_run(const RunConfig& config, const std::filesystem::path& out,
                     const RunEvents& events) {
  require_outside_of_models(out, config);
  RunInputs inputs = read_inputs(config, events);
  const Json described = describe_inputs(config);
  TeacherCaches caches = check_caches(config, described, out);
  RunDirectory directory = RunDirectory::create(out, identity_of(config, described));
  return Run(config, std::move(inputs), std::move(caches), std::move(directory), events).execute();
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

RunOutcome resume_run(const RunConfig& config, const std::filesystem::path& out,
                      const RunEvents& events) {
  RunDirectory directory = RunDirectory::open(out);
  const RunPaths paths = directory.paths();
  const RunConfig before = directory.config();
  const RunChanges changes = compare_run_files(directory, before, config, events);
  const FinishedModel model =
      look_at_model(paths, TrainingPlan(before).total_steps(), Look::every_byte);
  if (model.status == ModelStatus::whole && !changes.of_length &&
      !evaluates_again(paths, before, config, model, events)) {
    report_again(config, directory, model, events);
    const std::int64_t steps = TrainingPlan(config).total_steps();
    return {.complete = true, .steps = steps, .total_steps = steps};
  }
  const Json inputs = known_inputs(directory, config, events);
  RunInputs read = read_inputs(config, events);
  Run run(config, std::move(read), check_caches(config, inputs, out), std::move(directory), events);
  run.go_back(changes.usable_steps, identity_of(config, inputs));
  if (!model.wrong_evaluations.empty()) run.distrust_experts();
  if (model.status == ModelStatus::damaged) set_aside_model(paths, model.reason, events.warn);
  return run.execute();
}

}  // namespace

RunOutcome distill(const RunConfig& config, const std::filesystem::path& out, bool resume,
                   const RunEvents& events) {
  for (const std::string& note : config.notes) events.info(note);
  return resume ? resume_run(config, out, events) : begin_run(config, out, events);
}

}  // namespace gladius
