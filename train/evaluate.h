// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "gladius/models/causal_lm.h"
#include "gladius/train/data/example.h"

namespace gladius {

struct Evaluation {
  std::int64_t sequences = 0;
  std::int64_t tokens = 0;   // that have a label
  double cross_entropy = 0;  // mean over these, in nats
  double perplexity = 0;     // exp of it

  nlohmann::ordered_json to_json() const;
};

/// Over all labelled tokens of the examples. Error if there are none.
Evaluation evaluate(const CausalLM& model, const std::vector<Example>& examples);

}  // namespace gladius
