#include "gladius/train/evaluate.h"

#include <cmath>

#include "gladius/autograd/grad_mode.h"
#include "gladius/tensor/error.h"
#include "gladius/train/objective.h"

namespace gladius {
namespace {

// Examples a forward pass: as many as make about this many tokens, at least one. Bounds the logits.
constexpr std::size_t kTokensAPass = 512;

}  // namespace

nlohmann::ordered_json Evaluation::to_json() const {
  return {{"sequences", sequences},
          {"tokens", tokens},
          {"cross_entropy", cross_entropy},
          {"perplexity", perplexity}};
}

Evaluation evaluate(const CausalLM& model, const std::vector<Example>& examples) {
  const NoGrad no_grad;
  double total = 0;
  std::int64_t tokens = 0;
  for (std::size_t next = 0; next < examples.size();) {
    std::vector<const Example*> chosen;
    for (std::size_t size = 0; next < examples.size() &&
                               (chosen.empty() || size + examples[next].ids.size() <= kTokensAPass);
         ++next) {
      size += examples[next].ids.size();
      chosen.push_back(&examples[next]);
    }
    const Batch batch = pack(chosen);
    const std::int64_t labelled = batch.labelled();
    total += cross_entropy_objective(model, batch).ce * static_cast<double>(labelled);
    tokens += labelled;
  }
  if (tokens == 0) throw Error("evaluate: no token of the data has a label");
  const double mean = total / static_cast<double>(tokens);
  return {.sequences = static_cast<std::int64_t>(examples.size()),
          .tokens = tokens,
          .cross_entropy = mean,
          .perplexity = std::exp(mean)};
}

}  // namespace gladius
