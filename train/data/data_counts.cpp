#include "gladius/train/data/data_counts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gladius/tensor/base/json_fields.h"
#include "gladius/tensor/base/text_format.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<const char*, std::int64_t DataCounts::*> kFields[] = {
    {"examples", &DataCounts::examples},       {"tokens", &DataCounts::tokens},
    {"labels", &DataCounts::labels},           {"longest", &DataCounts::longest},
    {"truncated", &DataCounts::truncated},     {"cut_tokens", &DataCounts::cut_tokens},
    {"lost_labels", &DataCounts::lost_labels}, {"unlabelled", &DataCounts::unlabelled}};

// "1 example", "1,260 examples".
std::string some(std::int64_t count, const char* what) {
  return fmt::format("{} {}{}", format_count(count), what, count == 1 ? "" : "s");
}

}  // namespace

void DataCounts::add(const Example& example) {
  const std::int64_t length = std::ssize(example.ids), labelled = count_labels(example.labels);
  ++examples;
  tokens += length;
  labels += labelled;
  longest = std::max(longest, length);
  truncated += example.cut_tokens > 0 ? 1 : 0;
  cut_tokens += example.cut_tokens;
  lost_labels += example.cut_labels;
  unlabelled += labelled == 0 ? 1 : 0;
}

Json DataCounts::to_json() const {
  Json json = Json::object();
  for (const auto& [name, field] : kFields) json[name] = this->*field;
  return json;
}

DataCounts DataCounts::from_json(const Json& json) {
  DataCounts counts;
  if (json.is_null()) return counts;
  const JsonFields fields(json, "the data's counts", "", JsonKind::record);
  for (const auto& [name, field] : kFields) {
    if (fields.contains(name)) counts.*field = fields.count(name);
  }
  return counts;
}

std::string describe(const DataCounts& counts, std::int64_t max_seq_len) {
  std::string text =
      fmt::format("{}, {}, {} of them with a label", some(counts.examples, "example"),
                  some(counts.tokens, "token"), format_count(counts.labels));
  if (counts.truncated > 0) {
    text +=
        fmt::format("; {} cut to {}, which lost {}",
                    some(counts.truncated, "example") + (counts.truncated == 1 ? " was" : " were"),
                    some(max_seq_len, "token"), some(counts.lost_labels, "label"));
  }
  if (counts.unlabelled > 0) {
    text += fmt::format("; {} no label", some(counts.unlabelled, "example") +
                                             (counts.unlabelled == 1 ? " has" : " have"));
  }
  return text;
}

}  // namespace gladius::train
