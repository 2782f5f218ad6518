// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>

#include "gladius/models/language_model.h"
#include "gladius/train/data/dataset.h"

namespace gladius::train {

struct Evaluation {
  DataCounts data;                 // of all its examples
  std::int64_t skipped_lines = 0;  // bad ones
  std::int64_t tokens = 0;         // that have a label
  double cross_entropy = 0;        // mean over these, in nats
  double perplexity = 0;           // exp of it
  /// Of the text that these tokens stand for (labelled_bytes.h); nothing without a tokenizer.
  std::optional<std::int64_t> bytes = {};
  /// The sum of their cross-entropies, special tokens' included, in bits, by these bytes. Nothing
  /// where there are none.
  std::optional<double> bits_per_byte = {};

  /// Whether the cross-entropy is a number; what a broken model says is not.
  bool is_finite() const;
  /// What is not finite or not known is null.
  nlohmann::ordered_json to_json() const;
};

/// Given an example and the cross-entropy at each of its positions, in nats; 0 where there is no
/// label.
using OnLosses = std::function<void(const Example& example, std::span<const float> losses)>;

/// Over all labelled tokens of the data; nothing if `stop_requested`, asked between forward passes,
/// says so. With `on_losses` each example's losses are told as they are known, in the order of the
/// data. Error if there are no labels.
std::optional<Evaluation> evaluate(
    const LanguageModel& model, const Dataset& data,
    const std::function<bool()>& stop_requested = [] { return false; },
    const OnLosses& on_losses = {});

}  // namespace gladius::train
