// Whether a run's event file says what its metrics say.
#pragma once

#include <cmath>
#include <map>
#include <string>

#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_directory.h"
#include "support/event_reader.h"
#include "support/temporary_directory.h"

namespace gladius::testing {

/// The numbers that TensorBoard shows of a line of metrics.
inline std::map<std::string, float> expected_scalars(const train::StepRecord& record) {
  const nlohmann::ordered_json line = record.to_json();
  std::map<std::string, float> scalars;
  for (const char* tag :
       {"loss/loss", "loss/loss_running_mean", "loss/loss_window_mean", "loss/kl", "loss/ce",
        "eval/eval_cross_entropy", "eval/eval_perplexity", "eval/eval_bits_per_byte",
        "optimizer/lr", "optimizer/grad_norm", "throughput/tokens_per_s", "memory/memory_mib"}) {
    const std::string name = tag;
    const auto value = line.value(name.substr(name.find('/') + 1), nlohmann::ordered_json());
    if (value.is_number() && std::isfinite(value.get<double>())) scalars[tag] = value.get<float>();
  }
  const nlohmann::ordered_json norms = line.value("grad_norms", nlohmann::ordered_json());
  for (const auto& [part, norm] : norms.items()) {
    if (norm.is_number()) scalars["grad_norms/" + part] = norm.get<float>();
  }
  return scalars;
}

/// What is wrong with the events of a run, in a few words; "" if each step has its own.
inline std::string events_differ(const train::RunPaths& paths) {
  const auto records = train::read_metrics(paths.metrics());
  const auto events = read_events(read_file(paths.events()));
  if (events.size() != records.size() + 1) return "not as many events as steps";
  for (std::size_t i = 0; i < records.size(); ++i) {
    const ReadEvent& event = events[i + 1];
    if (event.step != static_cast<std::uint64_t>(records[i].step)) return "events out of order";
    if (event.scalars != expected_scalars(records[i])) return "events other than metrics";
  }
  return "";
}

}  // namespace gladius::testing
