#include "eval_positions.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "gladius/train/data/labelled_bytes.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

void add_mean(std::vector<std::string>& row, const std::optional<train::TextMean>& mean) {
  if (!mean) {
    row.insert(row.end(), {"-", "-"});
    return;
  }
  row.push_back(fmt::format("{:.4f}", mean->value));
  row.push_back(mean->half_interval
                    ? fmt::format("{:.4f} to {:.4f}", mean->value - *mean->half_interval,
                                  mean->value + *mean->half_interval)
                    : "-");
}

std::vector<std::string> position_row(const train::PositionBucket& bucket) {
  std::vector<std::string> row{fmt::format("{} to {}", bucket.from, bucket.to - 1),
                               std::string(name_of(bucket.reach)), fmt::format("{}", bucket.texts),
                               fmt::format("{}", bucket.tokens)};
  add_mean(row, bucket.cross_entropy);
  if (bucket.bytes) add_mean(row, bucket.bits_per_byte);
  return row;
}

}  // namespace

PositionTable::PositionTable(const ModelConfig& model, const train::Dataset& data,
                             std::int64_t max_seq_len)
    : data_(data),
      scaling_(model.rope.type),
      bounds_(train::ReachBounds::of(model.rope)),
      losses_(bounds_, max_seq_len, data.encoder() != nullptr) {}

void PositionTable::add(const train::Example& example, std::span<const float> losses) {
  std::vector<std::int64_t> bytes;
  if (data_.encoder()) bytes = train::label_bytes(example, data_.encoder()->token_bytes());
  losses_.add(example, losses, bytes);
}

void PositionTable::print_as_text() const {
  std::vector<std::vector<std::string>> rows{
      {"positions", "reach", "texts", "tokens", "cross-entropy", "95% interval"}};
  if (data_.encoder()) {
    rows.front().insert(rows.front().end(), {"bits per byte", "95% interval"});
  }
  for (const train::PositionBucket& bucket : losses_.buckets())
    rows.push_back(position_row(bucket));
  print("\n{}trained: the model's positions below {}", format_table(rows), bounds_.trained);
  if (bounds_.extended > bounds_.trained) {
    print("; extended: those below {}, by its {} rope scaling", bounds_.extended, scaling_);
  }
  print("\n");
}

nlohmann::ordered_json PositionTable::to_json() const {
  nlohmann::ordered_json buckets = nlohmann::ordered_json::array();
  for (const train::PositionBucket& bucket : losses_.buckets()) {
    buckets.push_back(bucket.to_json());
  }
  return {{"trained_positions", bounds_.trained},
          {"extended_positions", bounds_.extended},
          {"by_position", std::move(buckets)}};
}

}  // namespace gladius::cli
