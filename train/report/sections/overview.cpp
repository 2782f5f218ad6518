#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gladius/tensor/base/text_format.h"
#include "sections.h"

namespace gladius::train {
namespace {

constexpr std::size_t kSpeedSteps = 100;  // that speed and remaining time are estimated from

const char* status_name(const RunRecord& record) {
  return record.complete ? "Complete" : "In progress";
}

std::string describe_student(const RunRecord& record) {
  if (!record.model) return "A model";
  return fmt::format("{} with {} parameters", record.model->architecture,
                     format_count(make_language_model(*record.model)->num_parameters()));
}

// ", distilled from one, two"
std::string describe_training(const RunConfig& config) {
  if (config.experts.empty()) return ", trained on data alone";
  std::vector<std::string> names;
  for (const ExpertConfig& expert : config.experts) names.push_back(expert.name);
  return fmt::format(", distilled from {}", fmt::join(names, ", "));
}

struct Speed {
  double tokens_per_s, steps_per_s;
};

Speed recent_speed(const std::vector<StepRecord>& metrics) {
  const StepRecord& last = metrics.back();
  const std::size_t window = std::min(kSpeedSteps, metrics.size() - 1);
  if (window == 0) return {last.tokens_per_s, 1 / last.elapsed_s};
  const double seconds = last.elapsed_s - metrics[metrics.size() - 1 - window].elapsed_s;
  double tokens = 0;
  for (std::size_t i = metrics.size() - window; i < metrics.size(); ++i) {
    tokens += static_cast<double>(metrics[i].tokens);
  }
  return {tokens / seconds, static_cast<double>(window) / seconds};
}

void add_experts(Facts& facts, const RunRecord& record) {
  const TrainingPlan plan = record.plan();
  const auto& stages = plan.stages();
  const auto completed = std::ranges::count_if(
      stages, [&](const Stage& stage) { return record.steps() >= stage.end; });
  if (completed < std::ssize(stages)) {
    const Stage& stage = stages[static_cast<std::size_t>(completed)];
    facts.items.emplace_back("Training phase", fmt::format("{} of {} ({})", completed + 1,
                                                           stages.size(), stage.expert->name));
  }
  facts.items.emplace_back("Experts completed", fmt::format("{} of {}", completed, stages.size()));
}

void add_losses(Facts& facts, const RunRecord& record) {
  const StepRecord& last = record.metrics.back();
  facts.items.emplace_back("Loss of the last step", fmt::format("{:.4f}", last.loss));
  facts.items.emplace_back("Loss, mean since step 0",
                           fmt::format("{:.4f}", last.loss_running_mean));
  facts.items.emplace_back(fmt::format("Loss, mean of the last {}", kLossWindow),
                           fmt::format("{:.4f}", last.loss_window_mean));
  facts.items.emplace_back("Initial loss", fmt::format("{:.4f}", initial_loss(record)));
}

void add_speed(Facts& facts, const RunRecord& record) {
  const StepRecord& last = record.metrics.back();
  const Speed speed = recent_speed(record.metrics);
  facts.items.emplace_back("Tokens a second", fmt::format("{:.0f}", speed.tokens_per_s));
  facts.items.emplace_back("Time spent on steps", format_duration(last.elapsed_s));
  if (record.complete) return;
  const auto left = static_cast<double>(record.plan().total_steps() - record.steps());
  facts.items.emplace_back("Time left, about", format_duration(left / speed.steps_per_s));
}

Facts status(const RunRecord& record) {
  Facts facts{{{"Training status", status_name(record)},
               {"Steps", fmt::format("{} of {}", format_count(record.steps()),
                                     format_count(record.plan().total_steps()))}}};
  if (!record.config.experts.empty()) add_experts(facts, record);
  if (!record.metrics.empty()) {
    add_losses(facts, record);
    add_speed(facts, record);
    const StepRecord& last = record.metrics.back();
    facts.items.emplace_back("Updates skipped (not finite)", format_count(last.skipped_updates));
    if (last.skipped_lines > 0) {
      facts.items.emplace_back("Bad lines skipped", format_count(last.skipped_lines));
    }
  }
  return facts;
}

}  // namespace

double initial_loss(const RunRecord& record) {
  const auto first = std::ranges::find_if(
      record.metrics, [](const StepRecord& step) { return std::isfinite(step.loss); });
  return first == record.metrics.end() ? std::numeric_limits<double>::quiet_NaN() : first->loss;
}

void add_introduction(Document& document, const RunRecord& record) {
  document.push_back(Paragraph{fmt::format("{}{}. {}: {} of {} steps.", describe_student(record),
                                           describe_training(record.config), status_name(record),
                                           format_count(record.steps()),
                                           format_count(record.plan().total_steps()))});
}

void add_status(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Status"});
  document.push_back(status(record));
}

}  // namespace gladius::train
