// What a data set's examples come to.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gladius/train/data/example.h"

namespace gladius::train {

/// Sums over examples; bad lines that are skipped are not among them.
struct DataCounts {
  std::int64_t examples = 0;
  std::int64_t tokens = 0;       // that are left after the cut to max_seq_len
  std::int64_t labels = 0;       // positions of these with a label
  std::int64_t longest = 0;      // tokens of the longest example
  std::int64_t truncated = 0;    // examples that were cut
  std::int64_t cut_tokens = 0;   // positions that were cut off
  std::int64_t lost_labels = 0;  // those of them that had a label
  std::int64_t unlabelled = 0;   // examples without a label, or with none left

  void add(const Example& example);

  nlohmann::ordered_json to_json() const;
  /// A count that is missing is 0. FormatError for one that is no whole number of 0 or more.
  static DataCounts from_json(const nlohmann::ordered_json& json);

  bool operator==(const DataCounts&) const = default;
};

/// "200 examples, 90,112 tokens, 31,002 of them with a label; 132 examples were cut to 512 tokens,
/// which lost 40,031 labels; 131 examples have no label".
std::string describe(const DataCounts& counts, std::int64_t max_seq_len);

}  // namespace gladius::train
