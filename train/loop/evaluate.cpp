#include "gladius/train/loop/evaluate.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "gladius/autograd/grad_mode.h"
#include "gladius/tensor/base/error.h"
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
                                   const std::function<bool()>& stop_requested) {
  const NoGrad no_grad;
  double total = 0;
  DataCounts counts;
  std::int64_t tokens = 0;
  std::optional<std::int64_t> bytes;
  if (data.encoder()) bytes = 0;
  std::vector<std::shared_ptr<const Example>> chosen;
  std::size_t size = 0;
  const auto pass = [&] {
    std::vector<const Example*> examples;
    for (const auto& example : chosen) examples.push_back(example.get());
    const Batch batch = pack(examples);
    const std::int64_t labelled = batch.labelled();
    if (labelled > 0) {
      total += cross_entropy_objective(model, batch).ce * static_cast<double>(labelled);
      tokens += labelled;
    }
    chosen.clear();
    size = 0;
  };
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::shared_ptr<const Example> example = data.read(i);
    if (!example) continue;
    if (!chosen.empty() && size + example->ids.size() > kTokensAPass) {
      if (stop_requested()) return std::nullopt;
      pass();
    }
    size += example->ids.size();
    counts.add(*example);
    if (bytes) *bytes += labelled_bytes(*example, data.encoder()->token_bytes());
    chosen.push_back(example);
  }
  if (!chosen.empty()) pass();
  if (tokens == 0) {
    throw Error(fmt::format(
        "evaluate: no token of {} has a label{}", data.name(),
        counts.lost_labels == 0
            ? ""
            : fmt::format(" left: the cut to max_seq_len lost all {}", counts.lost_labels)));
  }
  const double mean = total / static_cast<double>(tokens);
  return Evaluation{.data = counts,
                    .skipped_lines = data.size() - counts.examples,
                    .tokens = tokens,
                    .cross_entropy = mean,
                    .perplexity = std::exp(mean),
                    .bytes = bytes,
                    .bits_per_byte = bits_per_byte(total, bytes)};
}

}  // namespace gladius::train
