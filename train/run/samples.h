// What a run's student writes while it learns: samples.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace gladius::train {

/// An answer of the student's.
struct Sample {
  nlohmann::ordered_json messages;  // that it answers, as in a line of data
  std::string answer;
  bool cut = false;  // at the most tokens that it may have
};

/// A line of samples.jsonl.
struct StepSamples {
  std::int64_t step = 0;  // as in metrics.jsonl: the student as that step has left it
  std::vector<Sample> samples;

  nlohmann::ordered_json to_json() const;
  /// The line, which is JSON of UTF-8 whatever the student has written.
  std::string to_line() const;
};

/// The step of a line; nothing if it is none.
std::optional<std::int64_t> step_of_samples(const std::string& line);
/// The last line of a file, which may be growing; nothing if there is none that can be read.
std::optional<StepSamples> read_newest_samples(const std::filesystem::path& path);

/// Cuts the file, if there is one, at the first line of a step from `steps` on, or that is
/// incomplete: the run makes them again. IoError.
void keep_samples(const std::filesystem::path& path, std::int64_t steps);

}  // namespace gladius::train
