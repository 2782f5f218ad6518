// A student that begins as a smaller model.
#pragma once

#include <cstdint>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/train/loop/model_source.h"

namespace gladius::train {

/// For each of `count` layers the one of a smaller model's `available`, in order and evenly spread,
/// the first and the last among them; kNoLayer for the layers between (0, -1, 1, -1, 2 for 5 and
/// 3). With more layers than there is room for, the last ones are missing, which check_growth
/// refuses.
std::vector<std::int64_t> spread_growth(std::int64_t count, std::int64_t available);

/// ConfigError, naming what is in the way, where a student of these sizes cannot say what the model
/// says: a smaller width, fewer heads, other positions, another epsilon, ...
void check_growth(const ModelConfig& student, const ModelConfig& model,
                  const std::vector<std::int64_t>& layers);

/// What of a tensor is the model's.
struct Grown {
  std::int64_t taken = 0;  // numbers
  bool silent = false;     // zero, so that its layer adds nothing yet
};

/// Gives one parameter of the student what makes the whole student compute what the model does, to
/// rounding (and to rms_norm_eps, which weighs more in the larger width): the model's numbers in
/// the first rows and columns (heads stay with their keys), zero in what attention and feed-forward
/// add besides, so that new heads, new inner units and new layers are silent until they have
/// learned something; norms are scaled by the root of the widths' ratio. The rows of a head for ids
/// that the model does not have are the mean of its rows. All else keeps its fresh weights, which
/// nothing looks at yet but the gradients. The way of Net2Net (arXiv:1511.05641) for a wider and
/// deeper network.
Grown grow(const nn::NamedParameter& own, const ModelConfig& student, const ModelConfig& model,
           const ModelSource& source);

}  // namespace gladius::train
