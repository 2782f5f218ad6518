// What a trainer resumes from.
#include <fmt/format.h>

#include <string>
#include <unordered_map>

#include "gladius/tensor/base/error.h"
#include "gladius/train/loop/sharded_state.h"
#include "gladius/train/loop/trainer.h"
#include "gladius/train/run/checkpoint_records.h"

namespace gladius::train {
namespace {

// The gradients by the weights' names, each with its weight's shape.
std::unordered_map<std::string, Tensor> gradients_of(const Checkpoint& checkpoint,
                                                     const NamedVariables& parameters) {
  std::unordered_map<std::string, Tensor> gradients(checkpoint.gradients.begin(),
                                                    checkpoint.gradients.end());
  std::size_t matched = 0;
  for (const auto& [name, parameter] : parameters) {
    const auto found = gradients.find(name);
    if (found == gradients.end()) continue;
    const Tensor& gradient = found->second;
    if (gradient.shape() != parameter.shape() || gradient.dtype() != parameter.dtype()) {
      throw FormatError(fmt::format("the gradient of \"{}\" is {}, its weight {} {}", name,
                                    gradient.describe(), dtype_name(parameter.dtype()),
                                    to_string(parameter.shape())));
    }
    ++matched;
  }
  if (matched < gradients.size()) throw FormatError("a gradient belongs to no weight");
  return gradients;
}

// An optimizer counts the updates that it has made of each weight.
void check_step_counts(const Optimizer& optimizer, const TrainerState& state) {
  const std::int64_t made = state.updates - state.skipped_updates;
  if (optimizer.steps() == made) return;
  throw FormatError(fmt::format(
      "the optimizer has made {} updates, but \"updates\" less \"skipped_updates\" is {}",
      optimizer.steps(), made));
}

}  // namespace

Checkpoint Trainer::checkpoint() const {
  Checkpoint checkpoint = start_point();
  if (is_sharded()) {
    checkpoint.optimizer = gather_state(ranks_->communicator(), optimizer_.state_dict(),
                                        student_->parameters_with_roles());
  }
  return checkpoint;
}

Checkpoint Trainer::start_point() const {
  Checkpoint checkpoint{.state = state_,
                        .weights = student_->state_dict(),
                        .optimizer = is_sharded() ? restored_optimizer_ : optimizer_.state_dict(),
                        .gradients = {},
                        .metrics = {}};
  if (local_) {
    for (auto& momentum : local_->state_dict()) checkpoint.optimizer.push_back(std::move(momentum));
  }
  for (const auto& [name, parameter] : student_->named_parameters()) {
    if (const Tensor grad = parameter.grad(); grad.defined()) {
      checkpoint.gradients.emplace_back(name, grad);
    }
  }
  return checkpoint;
}

void Trainer::restore(const Checkpoint& checkpoint) {
  check_state(checkpoint.state, config_, batches_.examples());
  check_evaluations(checkpoint, config_);
  const NamedVariables parameters = student_->named_parameters();
  const auto gradients = gradients_of(checkpoint, parameters);
  const std::int64_t step = checkpoint.state.step;
  computed_.clear();
  if (!gradients.empty() && (step == 0 || plan_.ends_group(step - 1))) {
    throw FormatError(
        fmt::format("there are gradients, though the group ends before step {}", step));
  }
  student_->load_state_dict(checkpoint.weights);
  if (is_sharded()) {
    make_sharded_optimizer();  // the weights may lie elsewhere
    restored_optimizer_ = checkpoint.optimizer;
    optimizer_.load_state_dict(
        slice_state(checkpoint.optimizer, student_->parameters_with_roles(), reducer_->own()));
  } else if (local_) {
    const auto [own, outer] = LocalUpdates::split(checkpoint.optimizer);
    optimizer_.load_state_dict(own);
    local_->load_state_dict(outer);
  } else {
    optimizer_.load_state_dict(checkpoint.optimizer);
  }
  check_step_counts(optimizer_, checkpoint.state);
  for (const auto& [name, parameter] : parameters) {
    const auto found = gradients.find(name);
    Variable leaf = parameter;
    if (found == gradients.end()) {
      leaf.zero_grad();
    } else {
      leaf.set_grad(found->second.clone());
    }
  }
  state_ = checkpoint.state;
  has_written_ = false;
  // Of a group that has begun it is not known, and not worth a wrong warning.
  group_has_labels_ = !checkpoint.gradients.empty();
  batches_.seek({.position = state_.data_position,
                 .skipped = state_.skipped_lines,
                 .read = state_.data_read});
}

}  // namespace gladius::train
