// Checked access to the keys of a run file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gladius/tensor/base/json_fields.h"

namespace gladius::train {

/// One object of a run file: what JsonFields has, and what the run file alone needs (ranges in
/// messages, nearest keys, paths). A missing key has its fallback, or is an error where there is
/// none.
class RunFields : public JsonFields {
 public:
  /// `path` is the object's own place in the file ("" for the file).
  using JsonFields::JsonFields;

  /// What a number must lie in.
  struct Range {
    double low;
    double high;
    bool open_low = false;
    bool open_high = false;
  };

  /// "[0, 1)".
  static std::string shown_range(const Range& range);

  /// A key that is not among `known` is an error that names the nearest one by edit distance.
  void require_known(const std::vector<std::string>& known) const;
  /// In [low, high].
  std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t low,
                       std::int64_t high = kLargestWhole) const;
  /// A list of at least one, each in [range.first, range.second].
  std::vector<std::int64_t> integers(const std::string& key,
                                     std::pair<std::int64_t, std::int64_t> range) const;
  /// A list of at least one and at most `most`, none of them empty.
  std::vector<std::string> texts(const std::string& key, std::size_t most) const;
  double number(const std::string& key, double fallback, const Range& range) const;
  std::string choice(const std::string& key, const std::string& fallback,
                     const std::vector<std::string>& choices) const;
  /// Relative ones begin at the file's directory; the result is absolute.
  std::optional<std::filesystem::path> path(const std::string& key) const;
  std::filesystem::path required_path(const std::string& key) const;
  /// One path or a list of them; none where it is missing.
  std::vector<std::filesystem::path> paths(const std::string& key) const;
  /// Two numbers.
  std::pair<double, double> pair(const std::string& key, std::pair<double, double> fallback,
                                 const Range& range) const;
  /// The object or list at `key`; an empty one where it is missing.
  RunFields object(const std::string& key) const;
  std::vector<RunFields> objects(const std::string& key) const;

 private:
  std::filesystem::path from_here(const std::string& key, const std::string& path) const;
  double in_range(const std::string& key, const nlohmann::ordered_json& value,
                  const Range& range) const;
};

/// Puts `value` (JSON where it is valid JSON, else text) at `path` ("loss.alpha",
/// "experts.0.steps") of a configuration. ConfigError where the path leads through something else
/// than an object or an existing element of a list.
void set_by_path(nlohmann::ordered_json& root, const std::string& path, const std::string& value);

}  // namespace gladius::train
