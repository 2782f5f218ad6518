// The tensors of the model that a student begins with, by the student's names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "gladius/models/language_model.h"

namespace gladius::train {

/// In the place of a layer's number: none of the model's.
inline constexpr std::int64_t kNoLayer = -1;

/// A parameter's name around the number of its layer, as "model.layers." "3" ".mlp.up_proj.weight".
struct LayerName {
  std::string before, after;
  std::size_t layer = 0;

  /// Nothing for a name outside of the layers.
  static std::optional<LayerName> of(const std::string& name);
};

/// Both must live as long as this.
class ModelSource {
 public:
  /// `layers`: for each of the student's the one of the model, or kNoLayer.
  ModelSource(const LanguageModel& model, const std::vector<std::int64_t>& layers);

  /// Undefined where the model has none.
  Tensor find(const nn::NamedParameter& own) const;

 private:
  const LanguageModel& model_;
  const std::vector<std::int64_t>& layers_;
  std::unordered_map<std::string, Tensor> tensors_;
  Tensor embedding_;
};

}  // namespace gladius::train
