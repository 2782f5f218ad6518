#include "gladius/train/training_run.h"

#include <fmt/format.h>

#include <chrono>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/following_run.h"
#include "gladius/train/loop/alignment_file.h"
#include "gladius/train/loop/finished_model.h"
#include "gladius/train/loop/nonfinite.h"
#include "gladius/train/loop/snapshot.h"
#include "gladius/train/report/hub/hub_card.h"
#include "gladius/train/report/report.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/environment.h"
#include "gladius/train/run/memory.h"
#include "gladius/train/run/resume.h"
#include "gladius/train/run/run_changes.h"
#include "gladius/train/run/timeline.h"

namespace gladius::train {
namespace {

std::optional<double> resident_mebibytes() {
  constexpr double kMebibyte = 1 << 20;
  const auto bytes = resident_memory();
  return bytes ? std::optional(static_cast<double>(*bytes) / kMebibyte) : std::nullopt;
}

}  // namespace

TrainingRun TrainingRun::assemble(const RunConfig& config, RunInputs inputs, TeacherCaches caches,
                                  RunDirectory directory, const RunEvents& events, Ranks* ranks) {
  Validation validation(config, std::move(inputs.eval_examples), directory.paths(), events);
  const auto shared = std::make_shared<TeacherCaches>(std::move(caches));
  const auto open_cache = [shared, &events](std::size_t expert) {
    return shared->open(expert, events.warn);
  };
  Trainer trainer(config, inputs.student, std::move(inputs.examples), events.warn, open_cache,
                  ranks);
  return {config,
          events,
          {.student = std::move(inputs.student),
           .data_log = std::move(inputs.data_log),
           .directory = std::move(directory),
           .validation = std::move(validation),
           .suite = std::move(inputs.suite),
           .samples = std::move(inputs.samples),
           .shown_text = std::move(inputs.shown_text),
           .trainer = std::move(trainer),
           .ranks = ranks}};
}

TrainingRun::TrainingRun(const RunConfig& config, const RunEvents& events, Parts parts)
    : config_(config),
      events_(events),
      student_(std::move(parts.student)),
      data_log_(std::move(parts.data_log)),
      directory_(std::move(parts.directory)),
      validation_(std::move(parts.validation)),
      suite_(std::move(parts.suite)),
      samples_(std::move(parts.samples)),
      shown_text_(std::move(parts.shown_text)),
      trainer_(std::move(parts.trainer)),
      ranks_(parts.ranks) {}

void TrainingRun::go_back(std::int64_t last_step, const RunIdentity& identity) {
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

RunOutcome TrainingRun::execute() {
  begin();
  if (!evaluate_experts_before() || !end_step()) return stopped();
  while (!trainer_.done()) {
    if (!begin_stage()) return stopped();
    if (ranks_ && trainer_.begins_group()) ranks_->announce(Ranks::Next::group);
    step();
    if (ranks_ && !trainer_.is_synchronised()) continue;
    bool stop = events_.stop_requested();
    const bool due =
        any_new_step([&](std::int64_t done) { return done % config_.checkpoint_every == 0; });
    // The last step's makes sure that a failure to evaluate or to save costs no training.
    if (stop || due || trainer_.done()) {
      save_checkpoint();
      stop = stop || events_.stop_requested();
    }
    if (stop || !end_step()) return stopped();
    looked_at_ = trainer_.state().step;
  }
  return finish();
}

void TrainingRun::begin() {
  events_.begin(trainer_.plan(), trainer_.state());  // from here on --resume works
  const std::int64_t step = looked_at_ = trainer_.state().step;
  if (ranks_) send_start(*ranks_, trainer_.start_point(), config_);
  directory_.note(step == 0 ? "training started" : fmt::format("resumed at step {}", step));
  const RunPaths& paths = directory_.paths();
  record_environment(paths.environment(), events_.warn);
  metrics_.emplace(paths.metrics());
  tensorboard_.emplace(paths.events(), read_metrics(paths.metrics()));
  if (samples_) {
    newest_samples_ = read_newest_samples(paths.samples());
    sample_file_.emplace(paths.samples());
  }
  validation_.begin();
  data_log_.announce(events_.info, events_.warn);
  write_data_counts();
}

// For the report.
void TrainingRun::write_data_counts() const {
  const nlohmann::ordered_json counts = data_log_.to_json(trainer_.state().data_read);
  write_text_file(directory_.paths().data(), counts.dump(2) + "\n");
}

// Those whose stages have ended, where that is still to be done: data.eval may be another now.
// False if a stop was asked for.
bool TrainingRun::evaluate_experts_before() {
  for (const Stage& stage : trainer_.plan().stages()) {
    if (!stage.expert || stage.end > trainer_.state().step) continue;
    if (!validation_.evaluate_expert(*stage.expert)) return false;
  }
  return true;
}

// False if a stop was asked for while the expert was loaded or evaluated.
bool TrainingRun::begin_stage() {
  const std::int64_t step = trainer_.state().step;
  const Stage& stage = trainer_.plan().stage_of(step);
  if (&stage == stage_ || !stage.expert) return true;
  stage_ = &stage;
  if (step == stage.begin) {
    directory_.note(fmt::format("step {}: expert {} begins", step, stage.expert->name));
  }
  trainer_.enter_stage();
  record_alignment();
  if (!events_.stop_requested() && validation_.evaluate_expert(*stage.expert)) return true;
  save_checkpoint();
  return false;
}

// For the live page: nothing that the run makes depends on it. A sample if there are some.
void TrainingRun::record_alignment() const {
  const AlignedTeacher* aligned = trainer_.aligned_teacher();
  if (aligned == nullptr || stage_ == nullptr) return;
  const auto index = static_cast<std::size_t>(stage_ - trainer_.plan().stages().data());
  const auto write = [&](const Example& text, std::optional<std::int64_t> step) {
    write_alignment(directory_.paths().alignment(), index, *stage_->expert, *aligned, text, step);
  };
  try {
    if (newest_samples_ && !newest_samples_->samples.empty()) {
      write(sample_text(aligned->student(), newest_samples_->samples[0]), newest_samples_->step);
    } else if (shown_text_) {
      write(*shown_text_, {});
    }
  } catch (const Error& error) {
    events_.warn(fmt::format("expert {}: not shown how it reads a text: {}", stage_->expert->name,
                             error.what()));
  }
}

void TrainingRun::step() {
  StepRecord record = trainer_.step();
  if (record.step % config_.log_every == 0) record.memory_mib = resident_mebibytes();
  set_unsaved(true);
  if (trainer_.diverged()) {
    write(record);
    fail_with_snapshot(record);
  }
  // The last one's line waits in every run: the next to resume from there may be longer, or
  // evaluate on other data. Where ranks differ nothing is due: the run could not resume.
  if (ranks_ && !trainer_.is_synchronised()) return write(record);
  if (trainer_.done() || is_evaluation_due() || is_suite_due() || are_samples_due()) {
    unevaluated_ = record;
  } else {
    write(record);
  }
}

// Whether something is due after one of the steps that have been done since that was last asked:
// after the last one, or with several ranks after one since they were alike.
template <class Due>
bool TrainingRun::any_new_step(const Due& due) const {
  const std::int64_t done = trainer_.state().step;
  for (std::int64_t step = ranks_ ? looked_at_ + 1 : done; step <= done; ++step) {
    if (due(step)) return true;
  }
  return false;
}

bool TrainingRun::is_evaluation_due() const {
  return any_new_step(
      [&](std::int64_t done) { return validation_.due(done, trainer_.plan().total_steps()); });
}

bool TrainingRun::is_suite_due() const {
  return suite_ && any_new_step([&](std::int64_t done) {
           return validation_.is_time(done, trainer_.plan().total_steps());
         });
}

bool TrainingRun::are_samples_due() const {
  return samples_ && any_new_step([&](std::int64_t done) {
           return samples_->is_time(done, trainer_.plan().total_steps());
         });
}

void TrainingRun::write(const StepRecord& record) {
  metrics_->append(record);
  tensorboard_->append(record);
  events_.step(record);
}

// Writes the last step's line if it still waits, with its evaluation if that is due. False if a
// stop was asked for.
bool TrainingRun::end_step() {
  if (!unevaluated_) return true;
  if (!evaluate_step()) return false;
  write(*unevaluated_);
  if (unevaluated_->evaluation) validation_.tell(*unevaluated_);
  if (unevaluated_->suite && config_.eval_every > 0) {
    events_.info(
        fmt::format("step {}: suite {}", unevaluated_->step, describe(*unevaluated_->suite)));
  }
  unevaluated_.reset();
  return true;
}

// False if a stop was asked for.
bool TrainingRun::evaluate_step() {
  try {
    if (evaluate_unevaluated()) return true;
  } catch (...) {
    save_checkpoint();  // a failure to evaluate costs no training
    throw;
  }
  unevaluated_->suite.reset();
  unevaluated_->evaluation.reset();  // all is made again when the run goes on
  save_checkpoint();
  return false;
}

// What is due of the last step. False if a stop was asked for.
bool TrainingRun::evaluate_unevaluated() {
  if (is_evaluation_due()) {
    unevaluated_->evaluation = validation_.evaluate_student(*student_, unevaluated_->step);
    if (!unevaluated_->evaluation) return false;
  }
  if (is_suite_due()) {
    unevaluated_->suite = suite_->ask(*student_, events_);
    if (!unevaluated_->suite) return false;
  }
  return !are_samples_due() || take_samples();
}

// False if a stop was asked for. Nothing is asked afterwards: the step has its samples once.
bool TrainingRun::take_samples() {
  auto samples = samples_->take(*student_, unevaluated_->step, events_);
  if (!samples) return false;
  sample_file_->append(samples->to_line());
  newest_samples_ = std::move(samples);
  record_alignment();
  return true;
}

void TrainingRun::fail_with_snapshot(const StepRecord& record) const {
  const RunPaths& paths = directory_.paths();
  const TrainerState& state = trainer_.state();
  write_snapshot(paths, *student_, trainer_.last_batch(), record);
  directory_.note(fmt::format("step {}: given up, not finite", record.step));
  throw Error(fmt::format(
      "step {}: {} updates in a row were skipped{} for a loss or gradient that is "
      "not finite{}; the "
      "model, the batch and the step's metrics are in {}; a smaller optimizer.lr or "
      "optimizer.max_grad_norm may help, from the start with another --out",
      record.step, state.skipped_in_a_row,
      state.skipped_updates == state.updates ? ", all of the run's," : "",
      trainer_.nonfinite_rank()
          ? fmt::format(" (the last loss that is not, on rank {})", *trainer_.nonfinite_rank())
          : "",
      paths.snapshot().string()));
}

void TrainingRun::save_checkpoint() {
  const auto start = std::chrono::steady_clock::now();
  if (ranks_ && config_.cluster.shard_optimizer) ranks_->announce(Ranks::Next::checkpoint);
  Checkpoint checkpoint = trainer_.checkpoint();
  checkpoint.metrics = metrics_->sync();
  checkpoint.unevaluated = unevaluated_;
  checkpoint.best = validation_.best();
  checkpoint.run = config_.resolved();
  tensorboard_->sync();
  if (sample_file_) sample_file_->sync();
  gladius::train::save_checkpoint(directory_.paths().checkpoints(), checkpoint,
                                  config_.keep_checkpoints);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  write_data_counts();
  directory_.note(
      fmt::format("{}{}, in {:.2f} s", kCheckpointEvent, checkpoint.state.step, time.count()));
  set_unsaved(false);
}

void TrainingRun::set_unsaved(bool unsaved) const {
  events_.unsaved(unsaved, trainer_.state().step);
}

RunOutcome TrainingRun::stopped() const {
  directory_.note(fmt::format("{}{}", kStopEvent, trainer_.state().step));
  return outcome(false);
}

// The model comes last: its presence says that the run is complete.
RunOutcome TrainingRun::finish() {
  const MetricsMark metrics = metrics_->sync();
  if (const auto own = directory_.paths().teacher_cache(); std::filesystem::exists(own)) {
    remove_directory(own);  // all that it was for is done
  }
  tensorboard_->sync();
  const TrainerState& state = trainer_.state();
  if (state.skipped_lines > 0) {
    events_.info(fmt::format("{} bad lines of the data were skipped", state.skipped_lines));
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
  if (suite_ && !suite_->finish(*student_, config_.experts, directory_.paths().suite(), events_))
    return stopped();
  save_finished_model(directory_.paths(), *student_, config_.student, state.step, metrics,
                      [this](const auto& model) { return hub_card(directory_.paths(), model); });
  directory_.note("training finished");
  write_report(directory_.paths());
  return outcome(true);
}

// What is broken is not marked as complete.
void TrainingRun::require_finite_student() const {
  const auto broken = nonfinite_parameter(*student_);
  if (!broken) return;
  directory_.note("given up, the weights are not finite");
  throw Error(
      fmt::format("the student's weights are not finite ({}), so no model is written; "
                  "checkpoints are in {}; a smaller optimizer.lr or "
                  "optimizer.max_grad_norm may help, from the start with another --out",
                  *broken, directory_.paths().checkpoints().string()));
}

RunOutcome TrainingRun::outcome(bool complete) const {
  return {.complete = complete,
          .steps = trainer_.state().step,
          .total_steps = trainer_.plan().total_steps()};
}

}  // namespace gladius::train
