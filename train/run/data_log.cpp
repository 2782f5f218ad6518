#include "gladius/train/run/data_log.h"

#include <fmt/format.h>

#include "gladius/tensor/base/text_format.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

DataLog::DataLog(const RunConfig& config, const Dataset& train, const Dataset* eval)
    : max_seq_len_(config.data.max_seq_len), train_(part_of(train)) {
  if (eval) eval_ = part_of(*eval);
}

DataLog::Part DataLog::part_of(const Dataset& data) {
  return {.lines = data.size(), .complete = data.in_memory(), .counts = data.counts()};
}

void DataLog::say(const std::string& what, const DataCounts& counts, const Say& info,
                  const Say& warn) const {
  // That none has a label check_labels() has said.
  const bool some_unlabelled = counts.unlabelled > 0 && counts.labels > 0;
  const bool lost = counts.truncated > 0 || some_unlabelled;
  (lost ? warn : info)(fmt::format("{}: {}", what, describe(counts, max_seq_len_)));
}

void DataLog::announce(const Say& info, const Say& warn) const {
  const auto name = [](const char* key, const Part& part) {
    return part.complete ? std::string(key)
                         : fmt::format("{}, the first of {} lines", key, format_count(part.lines));
  };
  say(name("data.train", train_), train_.counts, info, warn);
  if (eval_) say(name("data.eval", *eval_), eval_->counts, info, warn);
}

void DataLog::conclude(const DataCounts& read, const Say& info, const Say& warn) const {
  if (train_.complete) return;
  say(fmt::format("data.train, what was read of {} lines", format_count(train_.lines)), read, info,
      warn);
}

Json DataLog::to_json(const DataCounts& read) const {
  const auto part_json = [&](const Part& part, const DataCounts& counts) {
    Json json{{"max_seq_len", max_seq_len_}, {"lines", part.lines}, {"complete", part.complete}};
    json.update(counts.to_json());
    return json;
  };
  const bool read_more = !train_.complete && read.examples > train_.counts.examples;
  Json json{{"train", part_json(train_, read_more ? read : train_.counts)}};
  if (eval_) json["eval"] = part_json(*eval_, eval_->counts);
  return json;
}

}  // namespace gladius::train
