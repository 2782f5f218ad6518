// A run in its directory, from its first step or a checkpoint to its model.
#pragma once

#include <memory>
#include <optional>

#include "gladius/tensor/base/append_file.h"
#include "gladius/train/distill.h"
#include "gladius/train/loop/run_inputs.h"
#include "gladius/train/loop/student_samples.h"
#include "gladius/train/loop/suite_check.h"
#include "gladius/train/loop/trainer.h"
#include "gladius/train/loop/validation.h"
#include "gladius/train/report/tensorboard/event_file.h"
#include "gladius/train/run/data_log.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_directory.h"
#include "gladius/train/teacher/teacher_cache.h"

namespace gladius::train {

/// `config` and `events` outlive it. For one thread at a time.
class TrainingRun {
 public:
  /// Puts a run together from what it has read. Changes no file.
  /// `ranks`: those that follow (following_run.h), which outlive it; null: there are none.
  static TrainingRun assemble(const RunConfig& config, RunInputs inputs, TeacherCaches caches,
                              RunDirectory directory, const RunEvents& events,
                              Ranks* ranks = nullptr);

  /// Goes back to the newest checkpoint of at most `last_step` steps. From here on the directory
  /// is changed.
  void go_back(std::int64_t last_step, const RunIdentity& identity);
  /// Evaluates all experts again.
  void distrust_experts() { validation_.distrust_experts(); }
  /// Trains from where it is to its end, or until a stop is asked for.
  RunOutcome execute();

 private:
  /// What a run consists of.
  struct Parts {
    std::shared_ptr<LanguageModel> student;
    DataLog data_log;
    RunDirectory directory;
    Validation validation;
    std::optional<SuiteCheck> suite;
    std::optional<StudentSamples> samples;
    std::shared_ptr<const Example> shown_text;
    Trainer trainer;
    Ranks* ranks;
  };
  TrainingRun(const RunConfig& config, const RunEvents& events, Parts parts);

  void begin();
  void write_data_counts() const;
  bool evaluate_experts_before();
  bool begin_stage();
  void record_alignment() const;
  void step();
  template <class Due>
  bool any_new_step(const Due& due) const;
  bool is_evaluation_due() const;
  bool is_suite_due() const;
  bool are_samples_due() const;
  void write(const StepRecord& record);
  bool end_step();
  bool evaluate_step();
  bool evaluate_unevaluated();
  bool take_samples();
  [[noreturn]] void fail_with_snapshot(const StepRecord& record) const;
  void save_checkpoint();
  void set_unsaved(bool unsaved) const;
  RunOutcome stopped() const;
  RunOutcome finish();
  void require_finite_student() const;
  RunOutcome outcome(bool complete) const;

  const RunConfig& config_;
  const RunEvents& events_;
  std::shared_ptr<LanguageModel> student_;
  DataLog data_log_;
  RunDirectory directory_;
  Validation validation_;
  std::optional<SuiteCheck> suite_;
  std::optional<StudentSamples> samples_;
  std::shared_ptr<const Example> shown_text_;  // of the data; may be null
  Trainer trainer_;
  Ranks* ranks_;                           // null: this process is the only one
  std::int64_t looked_at_ = 0;             // steps after which it was asked what is due
  const Stage* stage_ = nullptr;           // that has begun in this process
  std::optional<StepRecord> unevaluated_;  // of the last step, while its line is to be written
  std::optional<MetricsFile> metrics_;     // since the run has begun
  std::optional<EventFile> tensorboard_;   // the same
  std::optional<AppendFile> sample_file_;  // the same, where there are samples_
  std::optional<StepSamples> newest_samples_;
};

}  // namespace gladius::train
