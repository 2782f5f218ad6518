// A training step as it is measured: forward, cross-entropy, backward, clipping, AdamW.
#pragma once

#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/models/language_model.h"
#include "gladius/optim/adamw.h"
#include "gladius/optim/clip_grad.h"
#include "support/measure.h"

namespace gladius::bench {

class TrainingStep {
 public:
  struct Result {
    double forward, backward, optimizer;  // seconds
    double loss;
    double seconds() const { return forward + backward + optimizer; }
  };

  explicit TrainingStep(LanguageModel& model)
      : model_(model), optimizer_(model.named_parameters(), {.lr = 1e-4}) {}

  /// ids I64 [1, T]; each is the label of its own place.
  Result run(const Tensor& ids) {
    const std::int64_t T = ids.size(1);
    const Tensor labels = ids.reshape({T});
    Variable loss;
    Result result{};
    result.forward = seconds([&] {
      const Variable hidden = model_.hidden_states(ids, sequential_context(1, T));
      loss =
          linear_cross_entropy(reshape(hidden, {T, hidden.size(-1)}), model_.head_weight(), labels);
    });
    result.backward = seconds([&] { loss.backward(); });
    result.optimizer = seconds([&] {
      optimizer_.step(clip_grad_norm(model_.parameters(), 1.0).scale);
      optimizer_.zero_grad();
    });
    result.loss = loss.value().item();
    return result;
  }

 private:
  LanguageModel& model_;
  AdamW optimizer_;
};

}  // namespace gladius::bench
