#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <optional>

#include "sections.h"

namespace gladius::train {
namespace {

// Expert, if there are any, each with the step at which it begins.
std::vector<Plot::Mark> expert_marks(const RunRecord& record) {
  std::vector<Plot::Mark> marks;
  const TrainingPlan plan = record.plan();
  for (const Stage& stage : plan.stages()) {
    if (stage.expert) marks.push_back({static_cast<double>(stage.begin), stage.expert->name});
  }
  return marks;
}

using Number = std::optional<double> (*)(const StepRecord&);

Plot::Series series(const RunRecord& record, std::string name, Number number) {
  Plot::Series result{std::move(name), {}};
  for (const StepRecord& step : record.metrics) {
    result.values.push_back(number(step).value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  return result;
}

// "Gradient norm" -> "report-gradient-norm.svg"
std::string file_of(std::string title) {
  for (char& c : title)
    c = c == ' ' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return fmt::format("report-{}.svg", title);
}

Plot plot(const RunRecord& record, const std::string& title, std::vector<Plot::Series> series) {
  Plot result{title, {}, std::move(series), expert_marks(record), file_of(title)};
  for (const StepRecord& step : record.metrics) {
    result.steps.push_back(static_cast<double>(step.step));
  }
  return result;
}

// A curve, where there are two evaluations at least.
void add_validation(Document& document, const RunRecord& record) {
  const auto evaluations = std::ranges::count_if(
      record.metrics, [](const StepRecord& step) { return step.evaluation.has_value(); });
  if (evaluations < 2) return;
  Plot::Series validation = series(record, "validation", [](const auto& step) {
    return step.evaluation ? std::optional(step.evaluation->cross_entropy) : std::nullopt;
  });
  validation.sparse = true;
  document.push_back(
      plot(record, "Cross-entropy",
           {series(record, "training", [](const auto& step) { return std::optional(step.ce); }),
            std::move(validation)}));
}

// The share of the suite's cases that are all right, where it was asked twice at least.
void add_suite_plot(Document& document, const RunRecord& record) {
  const auto times = std::ranges::count_if(
      record.metrics, [](const StepRecord& step) { return step.suite.has_value(); });
  if (times < 2) return;
  Plot::Series share = series(record, "all right", [](const auto& step) {
    return step.suite ? std::optional(static_cast<double>(step.suite->all_right) /
                                      static_cast<double>(step.suite->cases))
                      : std::nullopt;
  });
  share.sparse = true;
  document.push_back(plot(record, "Suite", {std::move(share)}));
}

}  // namespace

void add_plots(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Plots"});
  if (record.metrics.empty()) {
    document.push_back(Paragraph{"No step has been made yet."});
    return;
  }
  document.push_back(
      plot(record, "Loss",
           {series(record, "each step", [](const auto& step) { return std::optional(step.loss); }),
            series(record, "mean since step 0",
                   [](const auto& step) { return std::optional(step.loss_running_mean); }),
            series(record, fmt::format("mean of the last {}", kLossWindow),
                   [](const auto& step) { return std::optional(step.loss_window_mean); })}));
  add_validation(document, record);
  add_suite_plot(document, record);
  document.push_back(
      plot(record, "Gradient norm",
           {series(record, "before clipping", [](const auto& step) { return step.grad_norm; })}));
  document.push_back(plot(record, "Learning rate", {series(record, "rate", [](const auto& step) {
                            return std::optional(step.lr);
                          })}));
  document.push_back(
      plot(record, "Throughput", {series(record, "tokens a second of a step", [](const auto& step) {
             return std::optional(step.tokens_per_s);
           })}));
}

}  // namespace gladius::train
