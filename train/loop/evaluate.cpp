#include "gladius/train/loop/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/data/batch_logits.h"
#include "gladius/train/data/labelled_bytes.h"
#include "gladius/train/loop/objective.h"
#include "gladius/train/run/json_object.h"

namespace gladius::train {
namespace {

// Examples a forward pass: as many as make about this many tokens, at least one. Bounds the logits.
constexpr std::size_t kTokensAPass = 512;

std::optional<double> bits_per_byte(double nats, const std::optional<std::int64_t>& bytes) {
  if (bytes.value_or(0) == 0) return {};
  return nats / std::numbers::ln2 / static_cast<double>(*bytes);
}

// Of each token of the batch; the logits of a block of them at a time.
std::vector<float> token_losses(const LanguageModel& model, const Batch& batch) {
  const Variable hidden = batch_hidden_states(model, batch);
  std::vector<float> losses;
  for (std::int64_t begin = 0; begin < batch.tokens(); begin += kLinearLossRows) {
    const std::int64_t rows = std::min(kLinearLossRows, batch.tokens() - begin);
    const Variable block =
        cross_entropy(model.head(narrow(hidden, 0, begin, rows)),
                      batch.labels.narrow(0, begin, rows), kNoLabel, LossReduction::none);
    const auto values = block.value().to_vector<float>();
    losses.insert(losses.end(), values.begin(), values.end());
  }
  return losses;
}

// Whether examples change each other's frequencies in a pass.
bool depends_on_longest(const LanguageModel& model) {
  return model.config().rope.type == "dynamic";
}

// The passes over a data set, and what they come to.
class Evaluator {
 public:
  Evaluator(const LanguageModel& model, const Dataset& data, const OnLosses& on_losses)
      : model_(model), data_(data), on_losses_(on_losses) {
    if (data.encoder()) bytes_ = 0;
    if (depends_on_longest(model)) most_tokens_ = 0;
  }

  bool is_full_for(const Example& example) const {
    return !chosen_.empty() && size_ + example.ids.size() > most_tokens_;
  }

  void add(std::shared_ptr<const Example> example) {
    size_ += example->ids.size();
    counts_.add(*example);
    if (bytes_) *bytes_ += labelled_bytes(*example, data_.encoder()->token_bytes());
    chosen_.push_back(std::move(example));
  }

  // Of the examples added since the last one.
  void pass() {
    if (chosen_.empty()) return;
    std::vector<const Example*> examples;
    for (const auto& example : chosen_) examples.push_back(example.get());
    const Batch batch = pack(examples);
    const std::int64_t labelled = batch.labelled();
    tokens_ += labelled;
    if (on_losses_) {
      tell_losses(token_losses(model_, batch));
    } else if (labelled > 0) {
      nats_ += cross_entropy_objective(model_, batch).ce * static_cast<double>(labelled);
    }
    chosen_.clear();
    size_ = 0;
  }

  Evaluation result() const {
    if (tokens_ == 0) {
      throw Error(fmt::format(
          "evaluate: no token of {} has a label{}", data_.name(),
          counts_.lost_labels == 0
              ? ""
              : fmt::format(" left: the cut to max_seq_len lost all {}", counts_.lost_labels)));
    }
    const double mean = nats_ / static_cast<double>(tokens_);
    return {.data = counts_,
            .skipped_lines = data_.size() - counts_.examples,
            .tokens = tokens_,
            .cross_entropy = mean,
            .perplexity = std::exp(mean),
            .bytes = bytes_,
            .bits_per_byte = bits_per_byte(nats_, bytes_)};
  }

 private:
  void tell_losses(const std::vector<float>& losses) {
    nats_ = std::accumulate(losses.begin(), losses.end(), nats_);
    std::span<const float> rest = losses;
    for (const auto& example : chosen_) {
      on_losses_(*example, rest.first(example->ids.size()));
      rest = rest.subspan(example->ids.size());
    }
  }

  const LanguageModel& model_;
  const Dataset& data_;
  const OnLosses& on_losses_;
  std::size_t most_tokens_ = kTokensAPass;
  std::vector<std::shared_ptr<const Example>> chosen_;  // for the next pass
  std::size_t size_ = 0;                                // their tokens
  DataCounts counts_;
  double nats_ = 0;
  std::int64_t tokens_ = 0;
  std::optional<std::int64_t> bytes_;
};

}  // namespace

bool Evaluation::is_finite() const { return std::isfinite(cross_entropy); }

nlohmann::ordered_json Evaluation::to_json() const {
  // "sequences" is what earlier versions called the examples.
  nlohmann::ordered_json json{{"examples", data.examples},
                              {"sequences", data.examples},
                              {"tokens", tokens},
                              {"cross_entropy", cross_entropy},
                              {"perplexity", perplexity},
                              {"bits_per_byte", number_or_null(bits_per_byte)},
                              {"bytes", number_or_null(bytes)},
                              {"truncated", data.truncated},
                              {"lost_labels", data.lost_labels},
                              {"unlabelled", data.unlabelled}};
  if (skipped_lines > 0) json["skipped_lines"] = skipped_lines;
  return json;
}

std::optional<Evaluation> evaluate(const LanguageModel& model, const Dataset& data,
                                   const std::function<bool()>& stop_requested,
                                   const OnLosses& on_losses) {
  const NoGrad no_grad;
  Evaluator evaluator(model, data, on_losses);
  for (std::int64_t i = 0; i < data.size(); ++i) {
    std::shared_ptr<const Example> example = data.read(i);
    if (!example) continue;
    if (evaluator.is_full_for(*example)) {
      if (stop_requested()) return std::nullopt;
      evaluator.pass();
    }
    evaluator.add(std::move(example));
  }
  evaluator.pass();
  return evaluator.result();
}

}  // namespace gladius::train
