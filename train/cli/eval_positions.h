// What `gladius eval --data --by-position` adds.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "gladius/models/config.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/loop/position_losses.h"

namespace gladius::cli {

/// Where texts are cut unless --max-seq-len says so.
inline constexpr std::int64_t kPositionsLength = 4096;

/// The losses of an evaluation by position.
class PositionTable {
 public:
  /// `data` must outlive it.
  PositionTable(const ModelConfig& model, const train::Dataset& data, std::int64_t max_seq_len);

  /// As train::OnLosses.
  void add(const train::Example& example, std::span<const float> losses);
  void print_as_text() const;
  /// {"trained_positions", "extended_positions", "by_position": [...]}.
  nlohmann::ordered_json to_json() const;

 private:
  const train::Dataset& data_;
  std::string scaling_;
  train::ReachBounds bounds_;
  train::PositionLosses losses_;
};

}  // namespace gladius::cli
