#include "gladius/train/loop/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "gladius/optim/clip_grad.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/loop/run_inputs.h"
#include "gladius/train/run/precision_choice.h"
#include "gladius/train/run/student_optimizer.h"

namespace gladius::train {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

OutputLimit output_limit(const RunConfig& config) {
  OutputLimit limit{.top_k = config.teacher_cache.top_k};
  if (config.teacher_cache.samples) {
    limit.samples = {.count = *config.teacher_cache.samples,
                     .temperature = config.loss.temperature,
                     .seed = static_cast<std::uint64_t>(config.seed)};
  }
  return limit;
}

Tensor mask_of(const std::vector<bool>& rows) {
  Tensor mask = Tensor::empty({std::ssize(rows)}, Dtype::BOOL);
  std::ranges::copy(rows, mask.data<bool>());
  return mask;
}

}  // namespace

Trainer::Trainer(const RunConfig& config, std::shared_ptr<LanguageModel> student, Dataset data,
                 Warn warn, OpenCache open_cache, Ranks* ranks)
    : config_(config),
      plan_(config),
      student_(std::move(student)),
      parameters_(student_->parameters()),
      parts_(student_->named_parameters()),
      optimizer_(make_optimizer(config.optimizer, student_->parameters_with_roles())),
      encoder_(data.encoder()),
      batches_(std::move(data), batch_options(config)),
      warn_(std::move(warn)),
      open_cache_(std::move(open_cache)),
      ranks_(ranks) {
  student_->set_requires_grad(true);
  student_->set_activation_checkpointing(config.activation_checkpointing);
  if (ranks_) join_ranks();
}

StepRecord Trainer::step() {
  const PrecisionScope precision(precision_of(config_.precision));
  enter_stage();
  const auto start = std::chrono::steady_clock::now();
  const double lr = config_.optimizer.lr * lr_factor();
  MicroBatch done;
  if (ranks_) {
    done = next_of_group();
  } else {
    prepare_group();
    done = compute(state_.step);
  }
  count(done);
  if (plan_.ends_group(state_.step)) {
    const auto computed = std::chrono::steady_clock::now();
    update();
    update_s_ = seconds_since(computed);
  }
  const double seconds = seconds_since(start);
  state_.elapsed_s += seconds;
  return {.step = state_.step++,
          .expert = stage_->expert ? std::optional(stage_->expert->name) : std::nullopt,
          .loss = done.loss,
          .loss_running_mean = state_.running_mean(),
          .loss_window_mean = state_.window_mean(),
          .kl = done.kl,
          .ce = done.ce,
          .lr = lr,
          .grad_norm = state_.grad_norm,
          .skipped_updates = state_.skipped_updates,
          .tokens = done.tokens,
          .tokens_per_s = ranks_ ? done.tokens_per_s : static_cast<double>(done.tokens) / seconds,
          .elapsed_s = state_.elapsed_s,
          .skipped_lines = state_.skipped_lines,
          .grad_norms = std::exchange(part_norms_, {}),
          .ranks = ranks_ ? std::optional(StepRanks{ranks_->size(), waiting_}) : std::nullopt,
          .on_policy = done.on_policy};
}

// One expert in memory at a time.
bool Trainer::enter_stage() {
  const Stage& stage = plan_.stage_of(state_.step);
  if (&stage == stage_) return false;
  on_policy_.reset();
  aligned_teacher_.reset();
  cached_teacher_.reset();
  teacher_.reset();
  if (stage.expert) load_teacher(stage);
  stage_ = &stage;
  return true;
}

void Trainer::load_teacher(const Stage& stage) {
  teacher_ = std::make_unique<Teacher>(*stage.expert, student_->config().vocab_size, warn_);
  const auto expert = static_cast<std::size_t>(&stage - plan_.stages().data());
  std::unique_ptr<TeacherCache> cache = open_cache_(expert);
  const OutputLimit limit = output_limit(config_);
  if (cache || limit.top_k || limit.samples) {
    cached_teacher_ = std::make_unique<CachedTeacher>(*teacher_, limit, std::move(cache));
  }
  if (stage.expert->vocabulary == VocabularyMode::align) {
    aligned_teacher_ = std::make_unique<AlignedTeacher>(
        *stage.expert, encoder_, config_.student.tokenizer.value(), config_.loss.temperature,
        [this](const Batch& batch) { return teacher_answer(batch); }, config_.loss.tokens);
  }
  if (stage.expert->on_policy > 0) {
    const std::int64_t own = encoder_->tokenizer().vocab_size();
    on_policy_ = std::make_unique<OnPolicy>(config_, *stage.expert, *encoder_,
                                            aligned_teacher_ ? own : teacher_->vocabulary(), warn_);
  }
}

TeacherAnswer Trainer::teacher_answer(const Batch& batch) const {
  return cached_teacher_ ? cached_teacher_->answer(batch) : teacher_->logits(batch);
}

// What all micro-batches of a group have in common, before its first or where a run resumes.
void Trainer::prepare_group() {
  written_.reset();
  if (on_policy_ && !has_written_) write_answers();
  if (config_.loss.normalization == LossNormalization::tokens && !state_.update_terms) {
    count_update_terms();
  }
}

// The data's next micro-batch, which is of `step`: reads it and adds its gradient.
Trainer::MicroBatch Trainer::compute(std::int64_t step) {
  batch_ = batches_.next();
  const ObjectiveValue value = objective(batch_);
  const double loss = loss_of_step(value);
  if (std::isfinite(loss)) {
    accumulate(value);
  } else if (!ranks_) {
    warn_(fmt::format("step {}: the loss is {}", step, loss));
  }
  return {.loss = loss,
          .kl = value.kl,
          .ce = value.ce,
          .tokens = batch_.tokens(),
          .has_labels = batch_.labelled() > 0 || batch_.has_own_answers(),
          .on_policy = on_policy_record(),
          .place = batches_.place()};
}

void Trainer::count(const MicroBatch& done) {
  state_.data_position = done.place.position;
  state_.skipped_lines = done.place.skipped;
  state_.data_read = done.place.read;
  group_has_labels_ = group_has_labels_ || done.has_labels;
  if (std::isfinite(done.loss)) {
    count_loss(done.loss);
  } else {
    state_.group_is_spoiled = true;
  }
}

// Those of the whole group, or those that a run which resumes within it has written.
void Trainer::write_answers() {
  const std::int64_t end = plan_.group_begin(state_.step) + plan_.group_size(state_.step);
  const std::vector<Batch*> batches = batches_.look_ahead(end - state_.step);
  if (!state_.own_answers) {
    const auto start = std::chrono::steady_clock::now();
    state_.own_answers = on_policy_->write(*student_, batches, state_.step);
    written_ = {.share = 0, .seconds = seconds_since(start)};
    double tokens = 0;
    for (const OwnAnswer& answer : *state_.own_answers) {
      tokens += static_cast<double>(answer.ids.size());
    }
    if (tokens > 0) written_->tokens_per_s = tokens / written_->seconds;
  }
  on_policy_->put(*state_.own_answers, batches, state_.step);
  has_written_ = true;
}

// Of the step's micro-batch.
std::optional<StepOnPolicy> Trainer::on_policy_record() {
  if (!on_policy_) return {};
  StepOnPolicy record = written_.value_or(StepOnPolicy());
  const std::vector<std::int64_t> lengths = batch_.lengths();
  double answers = 0, tokens = 0;
  for (std::size_t i = 0; i < batch_.prompts.size(); ++i) {
    if (batch_.prompts[i] == 0) continue;
    ++answers, tokens += static_cast<double>(lengths.at(i) - batch_.prompts[i]);
  }
  record.share = answers / static_cast<double>(lengths.size());
  if (answers > 0) record.mean_tokens = tokens / answers;
  return record;
}

void Trainer::count_update_terms() {
  UpdateTerms terms;
  std::int64_t micro_batch = 0;
  for (const Batch* batch : batches_.look_ahead(plan_.group_size(state_.step))) {
    if (!is_own(micro_batch++)) continue;
    terms.labelled += batch->labelled();
    terms.compared += compared(*batch);
  }
  if (ranks_ && !local_) {
    const std::vector<double> sums =
        ranks_->sum({static_cast<double>(terms.labelled), static_cast<double>(terms.compared)});
    terms = {.labelled = std::llround(sums[0]), .compared = std::llround(sums[1])};
  }
  state_.update_terms = terms;
}

// Terms that the divergence has.
std::int64_t Trainer::compared(const Batch& batch) const {
  if (!teacher_) return 0;
  if (aligned_teacher_) return aligned_teacher_->compared(batch, config_.loss.cross);
  return std::ranges::count(batch.compared(config_.loss.tokens == LossTokens::labelled), true);
}

LossDivisors Trainer::divisors() const {
  if (!state_.update_terms) return {};
  return {.cross_entropy = std::max<std::int64_t>(1, state_.update_terms->labelled),
          .divergence = std::max<std::int64_t>(1, state_.update_terms->compared)};
}

ObjectiveValue Trainer::objective(const Batch& batch) const {
  const LossConfig& loss = config_.loss;
  if (!teacher_) return cross_entropy_objective(*student_, batch, divisors().cross_entropy);
  DistillationOptions options{.temperature = loss.temperature,
                              .alpha = loss.alpha,
                              .reduction = loss.reduction,
                              .divisors = divisors()};
  const bool has_own = aligned_teacher_ && loss.cross != CrossLoss::project;
  if (!has_own) {
    options.divergence = loss.divergence;
    options.beta = loss.beta;
    options.labelled_only = loss.tokens == LossTokens::labelled && !batch.has_own_answers();
  }
  if (aligned_teacher_) return aligned_objective(batch, options);
  options.vocabulary = teacher_->vocabulary();
  if (batch.has_own_answers()) {
    options.compared = mask_of(batch.compared(loss.tokens == LossTokens::labelled));
  }
  return distillation_objective(*student_, teacher_answer(batch).logits, batch, options);
}

ObjectiveValue Trainer::aligned_objective(const Batch& batch, DistillationOptions options) const {
  if (config_.loss.cross == CrossLoss::alm) {
    return alm_objective(*student_, aligned_teacher_->likelihoods(batch), batch, options);
  }
  if (config_.loss.cross == CrossLoss::uld) {
    const SharedBorders borders = aligned_teacher_->shared_borders(batch);
    return uld_objective(*student_, borders.logits, borders.rows, batch, options);
  }
  const AlignedTargets targets = aligned_teacher_->targets(batch);
  options.rows = targets.aligned;
  return distillation_objective(*student_, targets.rows, batch, options);
}

// A part of an update's loss is not the micro-batch's.
double Trainer::loss_of_step(const ObjectiveValue& value) const {
  if (config_.loss.normalization == LossNormalization::micro_batch) return value.loss.item();
  if (!value.kl) return value.ce;
  return config_.loss.alpha * *value.kl + (1 - config_.loss.alpha) * value.ce;
}

// Adds the loss's gradient, divided by the number of micro-batches in the group if it is not a part
// of the update's already.
void Trainer::accumulate(const ObjectiveValue& value) {
  const double share = state_.update_terms ? 1 : 1 / static_cast<double>(averaged_micro_batches());
  value.loss.backward(Variable(Tensor::scalar(share, value.loss.dtype())));
}

void Trainer::count_loss(double loss) {
  if (!state_.first_loss) state_.first_loss = loss;
  state_.loss_sum += loss;
  ++state_.losses;
  auto& recent = state_.recent_losses;
  if (recent.size() == kLossWindow) recent.erase(recent.begin());
  recent.push_back(loss);
}

// Where nothing but the cross-entropy trains, which counts tokens with a label.
void Trainer::warn_without_labels() {
  constexpr int kMost = 3;
  const bool needs_labels =
      !stage_->expert || config_.loss.alpha == 0 || config_.loss.tokens == LossTokens::labelled;
  if (!needs_labels || group_has_labels_ || warnings_without_labels_ == kMost) return;
  ++warnings_without_labels_;
  warn_(
      fmt::format("step {}: no token of this update's {} micro-batches has a label, so it has "
                  "nothing to learn from{}",
                  state_.step, plan_.group_size(state_.step),
                  warnings_without_labels_ == kMost ? " (further updates are not named)" : ""));
}

void Trainer::update() {
  warn_without_labels();
  group_has_labels_ = false;
  const auto [squares, clipped] = gradient_of_group();
  if (is_logged_update()) part_norms_ = parts_.norms(squares);
  if (!state_.group_is_spoiled && std::isfinite(clipped.norm)) {
    optimizer_.set_lr_factor(lr_factor());
    apply(clipped.scale);
    state_.grad_norm = clipped.norm;
    state_.skipped_in_a_row = 0;
  } else {
    ++state_.skipped_updates;
    ++state_.skipped_in_a_row;
    warn_(
        fmt::format("step {}: update skipped, for a loss or gradient that is not finite ({} so "
                    "far in this run)",
                    state_.step, state_.skipped_updates));
  }
  optimizer_.zero_grad();
  if (is_sharded()) {
    for (Variable& parameter : parameters_) parameter.zero_grad();
  }
  state_.group_is_spoiled = false;
  state_.update_terms.reset();
  state_.own_answers.reset();
  has_written_ = false;
  ++state_.updates;
  if (local_ && plan_.synchronises(state_.step)) {
    ranks_->wait_for([this] { local_->synchronise(optimizer_); });
  }
}

Trainer::GroupGradient Trainer::gradient_of_group() const {
  if (local_) return local_gradient();
  if (ranks_) return summed_gradient();
  std::vector<double> squares = gradient_squares(parameters_);
  const ClippedNorm clipped = clipped_norm(squares, config_.optimizer.max_grad_norm);
  return {.squares = std::move(squares), .clipped = clipped};
}

// One in `log_every` steps, or all where groups are longer: the group has such a step.
bool Trainer::is_logged_update() const {
  return state_.step / config_.log_every * config_.log_every >= plan_.group_begin(state_.step);
}

double Trainer::lr_factor() const { return plan_.schedule().factor(state_.updates); }

}  // namespace gladius::train
