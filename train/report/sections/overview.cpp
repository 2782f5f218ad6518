#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gladius/tensor/base/text_format.h"
#include "gladius/train/run/memory.h"
#include "sections.h"

namespace gladius::train {
namespace {

constexpr std::size_t kSpeedSteps = 100;  // that speed and remaining time are estimated from

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
  const double initial = initial_loss(record);
  facts.items.emplace_back("Loss of the last step", fmt::format("{:.4f}", last.loss));
  facts.items.emplace_back("Loss, mean since step 0",
                           fmt::format("{:.4f}", last.loss_running_mean));
  facts.items.emplace_back(fmt::format("Loss, mean of the last {}", kLossWindow),
                           fmt::format("{:.4f}", last.loss_window_mean));
  facts.items.emplace_back("Initial loss", fmt::format("{:.4f}", initial));
  facts.items.emplace_back("Change of the mean", format_change(last.loss_running_mean, initial));
}

void add_speed(Facts& facts, const RunRecord& record) {
  const StepRecord& last = record.metrics.back();
  const Speed speed = recent_speed(record.metrics);
  facts.items.emplace_back("Tokens a second", fmt::format("{:.0f}", speed.tokens_per_s));
  facts.items.emplace_back("Time spent on steps", format_duration(last.elapsed_s));
  if (record.complete) return;
  const auto left = static_cast<double>(record.plan().total_steps() - record.steps());
  facts.items.emplace_back("Time left, about", format_duration(left / speed.steps_per_s));
  if (record.last_change) {
    facts.items.emplace_back("Last step at", format_time(*record.last_change));
  }
}

std::string describe(const nlohmann::ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "-";  // not finite, or not known
  return value.is_number_float() ? fmt::format("{:.4f}", value.get<double>()) : value.dump();
}

Facts status(const RunRecord& record) {
  Facts facts{{{"Training status", record.complete ? "Complete" : "In progress"},
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
  for (const auto& [key, value] : record.evaluation.items()) {
    if (key == "data") continue;  // a sum
    std::string name = "Evaluation: " + key;
    std::ranges::replace(name, '_', ' ');
    facts.items.emplace_back(name, describe(value));
  }
  return facts;
}

}  // namespace

Table identification(const RunRecord& record) {
  Table table{{"Field", "Value"}, {{"Name", record.name()}}};
  if (record.model) {
    table.rows.push_back({"Architecture", record.model->architecture});
    table.rows.push_back(
        {"Parameters", format_count(make_language_model(*record.model)->num_parameters())});
  }
  table.rows.push_back({"Framework", "Gladius"});
  table.rows.push_back({"Precision", "float32"});
  table.rows.push_back({"File format", "SafeTensors"});
  return table;
}

double initial_loss(const RunRecord& record) {
  const auto first = std::ranges::find_if(
      record.metrics, [](const StepRecord& step) { return std::isfinite(step.loss); });
  return first == record.metrics.end() ? std::numeric_limits<double>::quiet_NaN() : first->loss;
}

void add_overview(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Identification"});
  document.push_back(identification(record));
  document.push_back(Heading{2, "Status"});
  document.push_back(status(record));
  add_held_out(document, record);
}

}  // namespace gladius::train
