// samples.jsonl of a run that goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "gladius/train/watch/line_follower.h"

namespace gladius::train {

/// Knows where in the file the samples of each step are, and reads them when they are asked for.
/// For one thread at a time.
class SamplesFollower {
 public:
  explicit SamplesFollower(std::filesystem::path path) : lines_(std::move(path)) {}

  /// Reads what has come since; lines that are no samples are passed over. Whether there is news.
  /// IoError.
  bool update();

  std::int64_t count() const { return std::ssize(places_); }
  /// Rises when what was there before is no longer so.
  std::int64_t generation() const { return generation_; }
  /// {"steps": [all that have samples], "step", "samples": as in the file}, of the last step up to
  /// `step`; the last two null where there is none. IoError.
  nlohmann::ordered_json at(std::int64_t step) const;

 private:
  struct Place {
    std::int64_t step;
    std::uint64_t offset, size;
  };

  LineFollower lines_;
  std::vector<Place> places_;
  std::int64_t generation_ = 0;
};

}  // namespace gladius::train
