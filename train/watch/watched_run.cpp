#include "gladius/train/watch/watched_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>
#include <tuple>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/run/stop_request.h"
#include "gladius/train/run/timeline.h"
#include "gladius/train/run/training_plan.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kSpeedSteps = 100;  // that the remaining time is estimated from
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Quantity {
  const char* name;
  double (*of)(const StepRecord& record);
};

double share_right(const StepRecord& record) {
  if (!record.suite || record.suite->cases == 0) return kNone;
  return static_cast<double>(record.suite->all_right) / static_cast<double>(record.suite->cases);
}

constexpr std::array<Quantity, 12> kQuantities{{
    {"loss", [](const StepRecord& r) { return r.loss; }},
    {"loss_running_mean", [](const StepRecord& r) { return r.loss_running_mean; }},
    {"loss_window_mean", [](const StepRecord& r) { return r.loss_window_mean; }},
    {"kl", [](const StepRecord& r) { return r.kl.value_or(kNone); }},
    {"ce", [](const StepRecord& r) { return r.ce; }},
    {"lr", [](const StepRecord& r) { return r.lr; }},
    {"grad_norm", [](const StepRecord& r) { return r.grad_norm.value_or(kNone); }},
    {"tokens_per_s", [](const StepRecord& r) { return r.tokens_per_s; }},
    {"memory_mib", [](const StepRecord& r) { return r.memory_mib.value_or(kNone); }},
    {"eval_cross_entropy",
     [](const StepRecord& r) { return r.evaluation ? r.evaluation->cross_entropy : kNone; }},
    {"eval_bits_per_byte",
     [](const StepRecord& r) {
       return r.evaluation ? r.evaluation->bits_per_byte.value_or(kNone) : kNone;
     }},
    {"suite_all_right", share_right},
}};

Json stages_of(const TrainingPlan& plan) {
  Json stages = Json::array();
  for (const Stage& stage : plan.stages()) {
    stages.push_back({{"expert", stage.expert ? Json(stage.expert->name) : Json()},
                      {"begin", stage.begin},
                      {"end", stage.end}});
  }
  return stages;
}

// The file's time; nothing of the time's begin where there is none.
std::filesystem::file_time_type time_of(const std::filesystem::path& file) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(file, error);
  return error ? std::filesystem::file_time_type() : time;
}

void append_curve(std::string& json, std::string_view name, const std::vector<CurvePoint>& points) {
  const auto out = std::back_inserter(json);
  fmt::format_to(out, "{}{}:[", json.ends_with('{') ? "" : ",", Json(name).dump());
  for (const CurvePoint& point : points) {
    fmt::format_to(out, "{}[{},{},{},{}]", json.ends_with('[') ? "" : ",", point.step, point.mean,
                   point.least, point.largest);
  }
  json += ']';
}

}  // namespace

WatchedRun::WatchedRun(const RunPaths& paths)
    : paths_(paths), follower_(paths_.metrics()), samples_(paths_.samples()) {
  paths_.require_run();
  read_plan();
}

void WatchedRun::read_plan() {
  const auto time = std::filesystem::last_write_time(paths_.run_json());
  if (time == plan_time_) return;
  const TrainingPlan plan(RunConfig::load_recorded(paths_.run_json()));
  stages_ = stages_of(plan);
  total_steps_ = plan.total_steps();
  plan_time_ = time;
}

WatchedRun::Update WatchedRun::update() {
  const auto state = [this] {
    return std::tuple(error_, complete_, stopped_, stop_requested_, plan_time_, alignments_read_);
  };
  const auto before = state();
  Update update;
  bool has_samples = false;
  error_.clear();
  try {
    read_plan();  // a run may be resumed with more steps
    read_metrics(update);
    has_samples = samples_.update();
    read_alignment();
  } catch (const std::exception& error) {
    error_ = error.what();
  }
  look_at_end();
  update.changed |= has_samples || state() != before;
  return update;
}

void WatchedRun::read_metrics(Update& update) {
  const NewMetrics added = follower_.read();
  if (added.started_over) {
    curves_ = {};
    part_norms_.clear();
    latest_.clear();
    last_.reset();
    memory_mib_.reset();
    ++generation_;
  }
  for (const StepRecord& record : added.steps) add(record);
  update = {.changed = added.started_over || !added.steps.empty(), .more = added.more};
}

void WatchedRun::read_alignment() {
  const auto time = time_of(paths_.alignment());
  if (time == alignment_time_) return;
  const bool there = time != std::filesystem::file_time_type();
  alignment_ = there ? read_json_file(paths_.alignment()) : Json();
  alignment_time_ = time;
  ++alignments_read_;
}

// Whether the run has come to its end or to a stop, or is asked to.
void WatchedRun::look_at_end() {
  complete_ =
      last_ && last_->step + 1 >= total_steps_ && std::filesystem::exists(paths_.model_manifest());
  if (const auto time = time_of(paths_.timeline()); time != timeline_time_) {
    timeline_time_ = time;
    stopped_ = last_event(paths_.timeline()).starts_with(kStopEvent);
  }
  stop_requested_ = is_stop_requested(paths_);
}

void WatchedRun::add(const StepRecord& record) {
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    curves_[i].add(record.step, kQuantities[i].of(record));
  }
  for (const auto& [part, norm] : record.grad_norms) {
    auto found = std::ranges::find(part_norms_, part, &std::pair<std::string, Curve>::first);
    if (found == part_norms_.end()) found = part_norms_.emplace(found, part, Curve());
    found->second.add(record.step, norm);
  }
  latest_.emplace_back(record.step, record.elapsed_s);
  if (latest_.size() > kSpeedSteps + 1) latest_.pop_front();
  if (record.memory_mib) memory_mib_ = record.memory_mib;
  last_ = record;
}

std::optional<double> WatchedRun::seconds_left() const {
  if (latest_.size() < 2) return {};
  const auto [first_step, first_second] = latest_.front();
  const auto [last_step, last_second] = latest_.back();
  const double seconds = (last_second - first_second) / static_cast<double>(last_step - first_step);
  return seconds * static_cast<double>(std::max<std::int64_t>(0, total_steps_ - last_step - 1));
}

Json WatchedRun::summary() const {
  const auto left = seconds_left();
  return {{"name", paths_.name()},
          {"directory", std::filesystem::absolute(paths_.directory).string()},
          {"generation", generation_},
          {"steps", last_ ? last_->step + 1 : 0},
          {"total_steps", total_steps_},
          {"stages", stages_},
          {"last", last_ ? last_->to_json() : Json()},
          {"memory_mib", memory_mib_ ? Json(*memory_mib_) : Json()},
          {"seconds_left", left ? Json(*left) : Json()},
          {"complete", complete_},
          {"stopped", stopped_},
          {"stop_requested", stop_requested_},
          {"samples", {{"generation", samples_.generation()}, {"count", samples_.count()}}},
          {"alignments_read", alignments_read_},
          {"error", error_}};
}

std::string WatchedRun::series(StepRange range, std::int64_t most) const {
  std::string json = fmt::format("{{\"generation\":{},\"series\":{{", generation_);
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    append_curve(json, kQuantities[i].name, curves_[i].points(range, most));
  }
  for (const auto& [part, curve] : part_norms_) {
    append_curve(json, "grad_norms." + part,
                 curve.points(range, std::max<std::int64_t>(1, most / 4)));
  }
  return json + "}}";
}

}  // namespace gladius::train
