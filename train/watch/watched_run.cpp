#include "gladius/train/watch/watched_run.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
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

constexpr std::array<Quantity, 11> kQuantities{{
    {"loss", [](const StepRecord& r) { return r.loss; }},
    {"loss_running_mean", [](const StepRecord& r) { return r.loss_running_mean; }},
    {"loss_window_mean", [](const StepRecord& r) { return r.loss_window_mean; }},
    {"kl", [](const StepRecord& r) { return r.kl.value_or(kNone); }},
    {"ce", [](const StepRecord& r) { return r.ce; }},
    {"lr", [](const StepRecord& r) { return r.lr; }},
    {"grad_norm", [](const StepRecord& r) { return r.grad_norm.value_or(kNone); }},
    {"tokens_per_s", [](const StepRecord& r) { return r.tokens_per_s; }},
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

}  // namespace

WatchedRun::WatchedRun(const RunPaths& paths) : paths_(paths), follower_(paths_.metrics()) {
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
  const auto state = [this] { return std::tuple(error_, complete_, plan_time_); };
  const auto before = state();
  Update update;
  error_.clear();
  try {
    read_plan();  // a run may be resumed with more steps
    read_metrics(update);
  } catch (const std::exception& error) {
    error_ = error.what();
  }
  complete_ =
      last_ && last_->step + 1 >= total_steps_ && std::filesystem::exists(paths_.model_manifest());
  update.changed |= state() != before;
  return update;
}

void WatchedRun::read_metrics(Update& update) {
  const NewMetrics added = follower_.read();
  if (added.started_over) {
    curves_ = {};
    latest_.clear();
    last_.reset();
    ++generation_;
  }
  for (const StepRecord& record : added.steps) add(record);
  update = {.changed = added.started_over || !added.steps.empty(), .more = added.more};
}

void WatchedRun::add(const StepRecord& record) {
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    curves_[i].add(record.step, kQuantities[i].of(record));
  }
  latest_.emplace_back(record.step, record.elapsed_s);
  if (latest_.size() > kSpeedSteps + 1) latest_.pop_front();
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
          {"seconds_left", left ? Json(*left) : Json()},
          {"complete", complete_},
          {"error", error_}};
}

Json WatchedRun::series(StepRange range, std::int64_t most) const {
  Json series = Json::object();
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    Json& list = series[kQuantities[i].name] = Json::array();
    for (const CurvePoint& point : curves_[i].points(range, most)) {
      list.push_back({point.step, point.mean, point.least, point.largest});
    }
  }
  return {{"generation", generation_}, {"series", std::move(series)}};
}

}  // namespace gladius::train
