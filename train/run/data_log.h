// What a run says of its data: at the start, at the end and in the report.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gladius/train/data/dataset.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Counts of the examples of data.train and data.eval. Of data beyond what is held in memory the
/// start knows the first examples alone; what training reads in its first epoch is told at the end.
class DataLog {
 public:
  using Say = std::function<void(const std::string&)>;

  DataLog(const RunConfig& config, const Dataset& train, const Dataset* eval);

  /// A line each; to `warn` where examples were cut or have no label.
  void announce(const Say& info, const Say& warn) const;
  /// The same of the training data at the end of a run, if the start did not know all. `read`: the
  /// counts of the first epoch so far.
  void conclude(const DataCounts& read, const Say& info, const Say& warn) const;
  /// data.json: for "train" and "eval" the counts, how many `lines` there are, and whether these
  /// are the counts of all (`complete`).
  nlohmann::ordered_json to_json(const DataCounts& read) const;

 private:
  struct Part {
    std::int64_t lines = 0;  // examples, bad lines included
    bool complete = false;
    DataCounts counts;
  };
  static Part part_of(const Dataset& data);
  void say(const std::string& what, const DataCounts& counts, const Say& info,
           const Say& warn) const;

  std::int64_t max_seq_len_;
  Part train_;
  std::optional<Part> eval_;
};

}  // namespace gladius::train
