#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <optional>
#include <span>

#include "gladius/tensor/base/text_format.h"
#include "sections.h"

namespace gladius::train {
namespace {

constexpr std::size_t kTableRows = 60, kTimelineRows = 30;
constexpr std::int64_t kWindow = 10;  // steps whose losses are compared as means
constexpr const char* kNoStep = "No step has been made yet.";

std::string window_mean() { return fmt::format("Mean of the last {}", kLossWindow); }

Table timeline_table(std::span<const TimelineEntry> entries) {
  Table table{{"Time (UTC)", "Event"}, {}};
  for (const TimelineEntry& entry : entries) table.rows.push_back({entry.time, entry.event});
  return table;
}

// When a run in progress was at its last step, and when that is said. The report of a complete run
// is always the same.
void add_present(Table& timeline, const RunRecord& record) {
  if (!record.metrics.empty() && record.last_change) {
    timeline.rows.push_back({format_time(*record.last_change),
                             fmt::format("last step, {}", format_count(record.steps() - 1))});
  }
  timeline.rows.push_back({format_time(std::time(nullptr)), "this report"});
}

// A long one has its first and its last entries here, and all below.
void add_timeline(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Timeline"});
  const std::span<const TimelineEntry> entries = record.timeline;
  const std::size_t half = kTimelineRows / 2;
  const bool is_long = entries.size() > kTimelineRows;
  Table table = timeline_table(is_long ? entries.first(half) : entries);
  if (is_long) {
    table.rows.push_back({"...", fmt::format("{} more", entries.size() - 2 * half)});
    for (auto& row : timeline_table(entries.last(half)).rows) table.rows.push_back(std::move(row));
  }
  if (!record.complete) add_present(table, record);
  document.push_back(std::move(table));
  if (is_long) {
    document.push_back(Collapsed{"All " + format_count(std::ssize(entries)) + " entries",
                                 timeline_table(entries)});
  }
}

// Of the logged steps those that are a round number of them apart, and the last.
std::vector<const StepRecord*> table_steps(const RunRecord& record) {
  const std::vector<const StepRecord*> logged = logged_steps(record);
  std::size_t stride = 1;
  for (std::size_t i = 0; logged.size() / stride > kTableRows; ++i) stride *= i % 3 == 1 ? 5 : 2;
  std::vector<const StepRecord*> chosen;
  for (std::size_t i = 0; i < logged.size(); ++i) {
    if (i % stride == 0 || i + 1 == logged.size()) chosen.push_back(logged[i]);
  }
  return chosen;
}

std::string optional_number(const std::optional<double>& value) {
  return value ? fmt::format("{:.4f}", *value) : "-";
}

Table losses(const RunRecord& record) {
  const bool distils = !record.config.experts.empty();
  Table table{{"Step", "Loss", "Mean since step 0", "Change from start", window_mean()}, {}, 0};
  if (distils) table.header.insert(table.header.begin() + 2, {"KL", "CE"});
  const double start = initial_loss(record);
  for (const StepRecord* step : table_steps(record)) {
    std::vector<std::string> row{
        format_count(step->step), fmt::format("{:.4f}", step->loss),
        fmt::format("{:.4f}", step->loss_running_mean),
        step->step == 0 ? "baseline" : format_change(step->loss_running_mean, start),
        fmt::format("{:.4f}", step->loss_window_mean)};
    if (distils) {
      row.insert(row.begin() + 2, {optional_number(step->kl), optional_number(step->ce)});
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

void add_loss(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Loss"});
  if (record.metrics.empty()) {
    document.push_back(Paragraph{kNoStep});
    return;
  }
  document.push_back(losses(record));
}

double mean_loss(std::span<const StepRecord> steps) {
  double sum = 0, count = 0;
  for (const StepRecord& step : steps) {
    if (!std::isfinite(step.loss)) continue;
    sum += step.loss;
    ++count;
  }
  return sum / count;
}

// "620 (qwen) + 1000 (tinyllama)"
std::string remaining(const RunRecord& record) {
  std::string text;
  const TrainingPlan plan = record.plan();
  for (const Stage& stage : plan.stages()) {
    const std::int64_t left = stage.end - std::max(record.steps(), stage.begin);
    if (left <= 0) continue;
    text += fmt::format("{}{}{}", text.empty() ? "" : " + ", format_count(left),
                        stage.expert ? fmt::format(" ({})", stage.expert->name) : "");
  }
  return text.empty() ? "0" : text;
}

Table convergence(const RunRecord& record) {
  const std::span<const StepRecord> steps = record.metrics;
  const auto window = std::min(static_cast<std::size_t>(kWindow), steps.size());
  const double initial = initial_loss(record), mean = steps.back().loss_running_mean;
  const double updates_apart = static_cast<double>(std::max<std::int64_t>(1, record.steps() - 1));
  return {{"Metric", "Value"},
          {{"Initial loss", fmt::format("{:.4f}", initial)},
           {"Mean since step 0", fmt::format("{:.4f}", mean)},
           {window_mean(), fmt::format("{:.4f}", steps.back().loss_window_mean)},
           {"Absolute reduction of the mean", fmt::format("{:.4f}", initial - mean)},
           {"Reduction of the mean", fmt::format("{:.1f}%", (1 - mean / initial) * 100)},
           {"Average change of the mean a step",
            fmt::format("{:.5f}", (mean - initial) / updates_apart)},
           {fmt::format("Loss of the first {} steps", window),
            fmt::format("{:.4f}", mean_loss(steps.first(window)))},
           {fmt::format("Loss of the last {} steps", window),
            fmt::format("{:.4f}", mean_loss(steps.last(window)))},
           {"Steps completed", format_count(record.steps())},
           {"Steps remaining", remaining(record)}},
          1};
}

void add_convergence(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Convergence analysis"});
  if (record.metrics.empty()) {
    document.push_back(Paragraph{kNoStep});
  } else {
    document.push_back(convergence(record));
  }
}

}  // namespace

std::vector<const StepRecord*> logged_steps(const RunRecord& record) {
  std::vector<const StepRecord*> steps;
  for (const StepRecord& step : record.metrics) {
    if (step.step % record.config.log_every == 0 || &step == &record.metrics.back()) {
      steps.push_back(&step);
    }
  }
  return steps;
}

void add_progress(Document& document, const RunRecord& record) {
  add_loss(document, record);
  add_convergence(document, record);
  add_timeline(document, record);
}

}  // namespace gladius::train
