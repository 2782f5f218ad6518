#include "gladius/train/run/checkpoint_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gladius/tensor/base/error.h"
#include "gladius/train/run/training_plan.h"

namespace gladius::train {
namespace {

void require(bool holds, const char* key, const std::string& what) {
  if (!holds) throw FormatError(fmt::format("\"{}\": {}", key, what));
}

// Numbers that are not finite are null in the file.
bool same(double a, double b) { return a == b || (!std::isfinite(a) && !std::isfinite(b)); }

// Most of a record follows from the state after its step.
void check_record(const StepRecord& record, const TrainerState& state, const RunConfig& config) {
  constexpr const char* kKey = "unevaluated";
  require(record.step >= 0 && record.step == state.step - 1, kKey,
          fmt::format("it is of step {}, not of the last one", record.step));
  require(!record.evaluation, kKey, "it has an evaluation");
  const TrainingPlan plan(config);
  const Stage& stage = plan.stage_of(record.step);
  require(record.expert == (stage.expert ? std::optional(stage.expert->name) : std::nullopt), kKey,
          fmt::format("its expert is not that of step {}", record.step));
  const bool has_loss = std::isfinite(record.loss);
  const auto& recent = state.recent_losses;  // none in checkpoints of earlier versions
  require(!has_loss || recent.empty() || record.loss == recent.back(), kKey,
          "its loss is not the last one");
  require(same(record.loss_running_mean, state.running_mean()) &&
              (recent.empty() || same(record.loss_window_mean, state.window_mean())),
          kKey, "its means are not those of the losses");
  require(!has_loss || !std::isfinite(record.ce) || record.ce >= 0, kKey, "its ce is negative");
  const double lr = config.optimizer.lr * plan.schedule().factor(plan.updates_before(record.step));
  require(record.lr == lr, kKey, fmt::format("its lr is not that of step {}", record.step));
  require(record.grad_norm == state.grad_norm && record.skipped_updates == state.skipped_updates &&
              record.skipped_lines == state.skipped_lines && record.elapsed_s == state.elapsed_s,
          kKey, "it says otherwise than the \"state\"");
  require(record.tokens > 0 && record.tokens <= config.batch_size * config.data.max_seq_len, kKey,
          fmt::format("it has {} tokens", record.tokens));
  require(!(record.tokens_per_s < 0), kKey, "its tokens_per_s is negative");
  require(std::ranges::none_of(record.grad_norms, [](const auto& part) { return part.second < 0; }),
          kKey, "one of its grad_norms is negative");
  require(record.memory_mib.value_or(0) >= 0, kKey, "its memory_mib is negative");
}

void check_best(const BestStep& best, std::int64_t recorded_steps) {
  constexpr const char* kKey = "best";
  require(best.step >= 0 && best.step < recorded_steps, kKey,
          fmt::format("its step is {}, after {} steps", best.step, recorded_steps));
  require(std::isfinite(best.cross_entropy) && best.cross_entropy >= 0, kKey,
          fmt::format("its cross_entropy is {}", best.cross_entropy));
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  constexpr std::size_t kDigits = 64;
  require(best.data.size() == kDigits && std::ranges::all_of(best.data, is_digit), kKey,
          "its data is no SHA-256");
}

}  // namespace

void check_evaluations(const Checkpoint& checkpoint, const RunConfig& config) {
  if (checkpoint.unevaluated) check_record(*checkpoint.unevaluated, checkpoint.state, config);
  if (checkpoint.best) check_best(*checkpoint.best, checkpoint.recorded_steps());
}

}  // namespace gladius::train
