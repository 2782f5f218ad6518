// The training loop's body.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/optim/clip_grad.h"
#include "gladius/optim/optimizer.h"
#include "gladius/train/data/batch_stream.h"
#include "gladius/train/loop/gradient_parts.h"
#include "gladius/train/loop/gradient_reducer.h"
#include "gladius/train/loop/local_updates.h"
#include "gladius/train/loop/objective.h"
#include "gladius/train/loop/on_policy.h"
#include "gladius/train/loop/ranks.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/training_plan.h"
#include "gladius/train/teacher/aligned_teacher.h"
#include "gladius/train/teacher/cached_teacher.h"
#include "gladius/train/teacher/teacher.h"

namespace gladius::train {

/// Trains a student step by step, on each expert in turn. Touches no file but the experts' and
/// their caches'.
///
/// A step is the next micro-batch of the data (batch_stream.h). The last step of a group
/// (training_plan.h) makes an update: the mean of the group's gradients (with
/// LossNormalization::tokens the gradient of the group's means over tokens, whose micro-batches are
/// read ahead to count them), clipped by its norm, through the optimizer at the schedule's learning
/// rate. What is recorded of a step is its own micro-batch's. One optimizer serves the whole run:
/// its state carries over from one expert to the next, as the data and most of the objective do,
/// and so does the place in the data. A group with a loss or a gradient that is not finite makes no
/// update; the schedule goes on. Where an expert has an `on_policy` share, the student writes its
/// answers for a whole group before the group's first step (on_policy.h); they are part of the
/// state, so that a run that resumes within the group has the same.
///
/// Of several ranks (ranks.h) each reads all of the data and computes its own micro-batches of a
/// group in the step that begins it; the other steps of the group only tell what came of them, on
/// every rank. Within such a group there is nothing to resume from.
///
/// With `cluster.local_updates` a rank's update is of its own micro-batches of the group alone: the
/// mean of their gradients (or the gradient of their means over tokens), clipped by its own norm,
/// through its own optimizer. After so many the ranks become alike again (local_updates.h), and
/// only then there is something to resume from. A rank without a micro-batch of a small group has
/// no update there; where one's loss or gradient is not finite, none has. The norms that are
/// recorded are the root mean squares of the ranks'. For one thread at a time.
class Trainer {
 public:
  using Warn = std::function<void(const std::string&)>;
  /// The cache of an expert, or null.
  using OpenCache = std::function<std::unique_ptr<TeacherCache>(std::size_t expert)>;

  /// `student` holds F32 weights; they are changed in place. `data` must not be empty. `ranks`, if
  /// there are several, outlive it.
  Trainer(const RunConfig& config, std::shared_ptr<LanguageModel> student, Dataset data, Warn warn,
          OpenCache open_cache = no_cache, Ranks* ranks = nullptr);

  const TrainingPlan& plan() const { return plan_; }
  const TrainerState& state() const { return state_; }
  bool done() const { return state_.step == plan_.total_steps(); }
  /// Whether `max_nonfinite_steps` updates in a row have been skipped, or all of a run that is
  /// done: it is of no use to go on, or to keep the student.
  bool diverged() const {
    return state_.skipped_in_a_row >= config_.max_nonfinite_steps ||
           (done() && state_.skipped_updates == state_.updates);
  }
  /// Of several ranks the one that had the last loss that was not finite, if one had.
  std::optional<int> nonfinite_rank() const { return nonfinite_rank_; }
  /// Of the expert that is loaded; null where it has the student's vocabulary.
  const AlignedTeacher* aligned_teacher() const { return aligned_teacher_.get(); }
  /// Whether all ranks are alike here, so that a run of several can resume: between groups, and
  /// with `cluster.local_updates` where they have synchronised.
  bool is_synchronised() const { return state_.step == 0 || plan_.synchronises(state_.step - 1); }
  /// Whether the next step computes: the ranks' next group.
  bool begins_group() const { return computed_.empty(); }
  /// What the last step has read; of several ranks the last one of this rank's own.
  const Batch& last_batch() const { return batch_; }

  /// Loads the expert of the next step, if it is not there yet; whether it was not. A step does so
  /// too.
  bool enter_stage();
  /// One micro-batch, and the update if it ends a group.
  StepRecord step();

  /// Everything to resume from; the tensors are shared, so it must be written before the next step.
  /// Of several ranks with `cluster.shard_optimizer` all call it, and rank 0 has the result.
  Checkpoint checkpoint() const;
  /// The same before the first step since the trainer was made or restored, without the others.
  Checkpoint start_point() const;
  /// Takes a checkpoint's place in the run. FormatError if it does not fit this run, which then is
  /// at no place until another is taken.
  void restore(const Checkpoint& checkpoint);

 private:
  static std::unique_ptr<TeacherCache> no_cache(std::size_t /*expert*/) { return nullptr; }

  // What came of a micro-batch.
  struct MicroBatch {
    double loss = 0;
    std::optional<double> kl;
    double ce = 0;
    std::int64_t tokens = 0;
    bool has_labels = false;
    std::optional<StepOnPolicy> on_policy;
    BatchStream::Place place;  // behind it
    double tokens_per_s = 0;   // only of several ranks: of all of them
  };

  // The gradient that an update is made of: the parameters' squares and what follows from them.
  struct GroupGradient {
    std::vector<double> squares;
    ClippedNorm clipped;
  };

  void load_teacher(const Stage& stage);
  TeacherAnswer teacher_answer(const Batch& batch) const;
  void prepare_group();
  MicroBatch compute(std::int64_t step);
  void compute_group();
  void exchange(std::vector<MicroBatch>& group, std::int64_t first);
  MicroBatch next_of_group();
  void count(const MicroBatch& done);
  void write_answers();
  std::optional<StepOnPolicy> on_policy_record();
  void count_update_terms();
  std::int64_t compared(const Batch& batch) const;
  LossDivisors divisors() const;
  ObjectiveValue objective(const Batch& batch) const;
  ObjectiveValue aligned_objective(const Batch& batch, DistillationOptions options) const;
  double loss_of_step(const ObjectiveValue& value) const;
  void accumulate(const ObjectiveValue& value);
  void count_loss(double loss);
  void update();
  bool is_logged_update() const;
  void warn_without_labels();
  double lr_factor() const;
  bool is_sharded() const { return ranks_ && config_.cluster.shard_optimizer; }
  void join_ranks();
  void make_sharded_optimizer();
  bool is_own(std::int64_t micro_batch) const;
  std::int64_t averaged_micro_batches() const;
  GroupGradient gradient_of_group() const;
  GroupGradient summed_gradient() const;
  GroupGradient local_gradient() const;
  void apply(double scale);

  RunConfig config_;
  TrainingPlan plan_;
  std::shared_ptr<LanguageModel> student_;
  std::vector<Variable> parameters_;
  GradientParts parts_;                         // of parameters_
  Optimizer optimizer_;                         // with a share of the elements where it is sharded
  std::shared_ptr<const TextEncoder> encoder_;  // of the data
  BatchStream batches_;
  Warn warn_;
  OpenCache open_cache_;
  Ranks* ranks_;                              // null: this process is the only one
  std::deque<MicroBatch> computed_;           // of the group, if there are ranks_, and not told yet
  std::unique_ptr<GradientReducer> reducer_;  // if there are ranks_, and not local_
  std::unique_ptr<LocalUpdates> local_;       // if ranks update on their own
  double update_s_ = 0;                       // the seconds that the last update has taken
  double waited_before_ = 0;                // what the ranks have waited until the last group's end
  std::vector<nn::NamedParameter> slices_;  // that a sharded optimizer updates
  NamedTensors restored_optimizer_;         // the whole state that it was restored from
  std::optional<int> nonfinite_rank_;
  std::optional<double> waiting_;  // the ranks' share of time spent waiting, of the last group
  TrainerState state_;
  Batch batch_;
  std::vector<std::pair<std::string, double>> part_norms_;  // of this step's update, if logged
  bool group_has_labels_ = false;
  int warnings_without_labels_ = 0;
  const Stage* stage_ = nullptr;  // that teacher_ belongs to
  std::unique_ptr<Teacher> teacher_;
  std::unique_ptr<CachedTeacher> cached_teacher_;    // null: teacher_ reads whole batches
  std::unique_ptr<AlignedTeacher> aligned_teacher_;  // null: the vocabularies are the same
  std::unique_ptr<OnPolicy> on_policy_;              // null: the student writes nothing
  bool has_written_ = false;                         // the current group's answers, or taken them
  std::optional<StepOnPolicy> written_;              // in this step: how long that took
};

}  // namespace gladius::train
