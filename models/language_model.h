// Language models that predict the next token.
#pragma once

#include <memory>
#include <string>

#include "gladius/models/config.h"
#include "gladius/models/generation/kv_cache.h"
#include "gladius/models/token_context.h"
#include "gladius/nn/module.h"

namespace gladius {

/// The name of the output matrix where it is not the embedding, in all of Hugging Face's families.
inline constexpr const char* kHeadName = "lm_head.weight";

/// What passes over a model hold, in elements a token.
struct PassSizes {
  std::int64_t num_layers = 0;
  std::int64_t saved = 0;   // by a layer's operations, until the backward pass
  std::int64_t input = 0;   // of a layer, which is all that activation checkpointing keeps of it
  std::int64_t live = 0;    // at once in a layer of which nothing is kept
  std::int64_t cached = 0;  // keys and values of all layers
};

/// A decoder with its head. Loading, saving, generation, distillation and reports know models by
/// this class alone; make_language_model makes them. Parameters have Hugging Face's names.
///
/// Const methods may be called from several threads, each with its own cache.
class LanguageModel : public nn::Module {
 public:
  /// ids I64 or I32 [B, T] -> the last layer's output after the final norm, [B, T, C]. With a
  /// cache, the ids continue what it holds. ShapeError for other shapes, no tokens or ids outside
  /// of the vocabulary.
  virtual Variable hidden_states(const Tensor& ids, const TokenContext& context,
                                 KvCache* cache = nullptr) const = 0;
  /// What makes logits of hidden states: [V, C], the embeddings if tied.
  virtual const Variable& head_weight() const = 0;
  /// Hidden states [..., C] -> logits [..., V].
  Variable head(const Variable& hidden) const;
  /// ids I64 or I32 [B, T], whole sequences from position 0 -> logits [B, T, V].
  Variable forward(const Tensor& ids) const;

  /// Room for `capacity` tokens of B sequences.
  virtual KvCache make_cache(std::int64_t B, std::int64_t capacity) const = 0;
  virtual PassSizes pass_sizes() const = 0;
  std::vector<nn::NamedParameter> parameters_with_roles() const override;

  /// Whether training keeps only what enters each layer and computes the rest again for the
  /// backward pass (autograd/checkpoint.h): less memory for about a third more time.
  void set_activation_checkpointing(bool on) { activation_checkpointing_ = on; }
  /// Fresh weights: normal with the config's initializer_range, biases 0, norms 1.
  void init_weights(Generator& generator);

  const ModelConfig& config() const { return config_; }

 protected:
  explicit LanguageModel(ModelConfig config) : config_(std::move(config)) {}
  bool activation_checkpointing() const { return activation_checkpointing_; }

 private:
  ModelConfig config_;
  bool activation_checkpointing_ = false;
};

/// The model of the config's architecture. Its parameters have shapes but no memory yet (Module).
/// ConfigError for an architecture that is not known.
std::unique_ptr<LanguageModel> make_language_model(const ModelConfig& config);

}  // namespace gladius
