#include "gladius/train/run/trainer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/training_plan.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const char* key, const std::string& value, const std::string& what) {
  throw FormatError(fmt::format("\"{}\" is {}; {}", key, value, what));
}

const Json& at(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key)) {
    throw FormatError(fmt::format("\"{}\" is missing", key));
  }
  return json.at(key);
}

// A whole number that counts something.
std::int64_t count_at(const Json& json, const char* key) {
  constexpr std::int64_t kLargest = std::int64_t{1} << 53;
  const Json& value = at(json, key);
  // A number above 2^63 is unsigned, and would come out negative.
  const bool fits = value.is_number_unsigned()
                        ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(kLargest)
                        : value.is_number_integer() && value.get<std::int64_t>() >= 0;
  if (!fits) fail(key, shown(value), "expected a whole number from 0 to 2^53");
  return value.get<std::int64_t>();
}

double number_at(const Json& json, const char* key) {
  const Json& value = at(json, key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    fail(key, shown(value), "expected a number");
  }
  return value.get<double>();
}

std::optional<double> optional_at(const Json& json, const char* key) {
  return at(json, key).is_null() ? std::nullopt : std::optional(number_at(json, key));
}

// How many of so many losses are kept.
std::int64_t recent_of(std::int64_t losses) { return std::min<std::int64_t>(losses, kLossWindow); }

// None where it is missing: checkpoints of earlier versions have no such list, nor have those of
// runs that went on from one, until it is as long as it has to be.
std::vector<double> recent_losses_at(const Json& json) {
  constexpr const char* key = "recent_losses";
  if (!json.contains(key)) return {};
  const Json& list = json.at(key);
  const bool fits = list.is_array() && std::ranges::all_of(list, [](const Json& number) {
                      return number.is_number() && std::isfinite(number.get<double>());
                    });
  if (!fits) fail(key, shown(list), "expected a list of numbers");
  if (list.empty() && count_at(json, "losses") > 0) fail(key, "[]", "expected the last losses");
  return list.get<std::vector<double>>();
}

const Json& object_at(const Json& json, const char* key) {
  const Json& value = at(json, key);
  if (!value.is_object()) fail(key, shown(value), "expected an object");
  return value;
}

bool boolean_at(const Json& json, const char* key) {
  const Json& value = at(json, key);
  if (!value.is_boolean()) fail(key, shown(value), "expected true or false");
  return value.get<bool>();
}

void require(bool holds, const char* key, const auto& value, const std::string& expected) {
  if (!holds) fail(key, fmt::format("{}", value), "expected " + expected);
}

void check_updates(const TrainerState& state, const RunConfig& config) {
  const TrainingPlan plan(config);
  require(state.step <= plan.total_steps(), "step", state.step,
          fmt::format("at most the run's {} steps", plan.total_steps()));
  const std::int64_t updates = plan.updates_before(state.step);
  require(state.updates == updates, "updates", state.updates,
          fmt::format("{} after {} steps", updates, state.step));
  require(state.skipped_updates <= updates, "skipped_updates", state.skipped_updates,
          fmt::format("at most the {} updates", updates));
  require(state.skipped_in_a_row <= state.skipped_updates, "skipped_in_a_row",
          state.skipped_in_a_row,
          fmt::format("at most skipped_updates, {}", state.skipped_updates));
  const bool group_is_open = state.step > 0 && !plan.ends_group(state.step - 1);
  require(group_is_open || !state.group_is_spoiled, "group_is_spoiled", state.group_is_spoiled,
          fmt::format("false, as no group is open at step {}", state.step));
  require(state.grad_norm.has_value() == (state.skipped_updates < updates), "grad_norm",
          state.grad_norm ? "a number" : "null", "it to be of the last update, if there was one");
  require(state.grad_norm.value_or(0) >= 0, "grad_norm", state.grad_norm.value_or(0),
          "no negative number");
}

void check_losses(const TrainerState& state) {
  const bool all_finite = state.skipped_updates == 0 && !state.group_is_spoiled;
  require(all_finite ? state.losses == state.step : state.losses <= state.step, "losses",
          state.losses, fmt::format("one for each of {} steps", state.step));
  const auto& recent = state.recent_losses;
  require(recent.empty() || std::ssize(recent) == recent_of(state.losses), "recent_losses",
          recent.size(), fmt::format("{} of {} losses", recent_of(state.losses), state.losses));
  if (std::ssize(recent) == state.losses) {
    const double sum = std::accumulate(recent.begin(), recent.end(), 0.0);
    require(sum == state.loss_sum, "recent_losses", sum,
            fmt::format("their sum to be \"loss_sum\", {}", state.loss_sum));
  }
  require(state.first_loss.has_value() == (state.losses > 0), "first_loss",
          state.first_loss ? "a number" : "null",
          fmt::format("the first of {} losses", state.losses));
  require(state.losses > 0 || state.loss_sum == 0, "loss_sum", state.loss_sum, "0 without a loss");
  require(state.elapsed_s >= 0, "elapsed_s", state.elapsed_s, "no negative time");
}

// How many of the first `position` lines were good, at the least and at the most, if there were
// `bad` others in the first epoch.
std::pair<std::int64_t, std::int64_t> good_before(std::int64_t position, std::int64_t examples,
                                                  std::int64_t bad) {
  if (position <= examples) return {position - bad, position - bad};
  const std::int64_t epochs = position / examples, rest = position % examples;
  const std::int64_t good = examples - bad;
  return {epochs * good + std::max<std::int64_t>(rest - bad, 0),
          epochs * good + std::min(rest, good)};
}

void check_data(const TrainerState& state, const RunConfig& config, std::int64_t examples) {
  require(state.skipped_lines < examples && state.skipped_lines <= state.data_position,
          "skipped_lines", state.skipped_lines, fmt::format("fewer than the {} lines", examples));
  const auto [fewest, most] = good_before(state.data_position, examples, state.skipped_lines);
  // A batch takes so many examples, or packs of one and more; it may pass over bad lines before a
  // pack begins, which is less than two epochs, and takes the pack from one epoch.
  const std::int64_t steps_at_most = most / config.batch_size;
  const std::int64_t steps_at_least = config.data.packing
                                          ? state.data_position / examples / 3 / config.batch_size
                                          : (fewest + config.batch_size - 1) / config.batch_size;
  require(steps_at_least <= state.step && state.step <= steps_at_most, "data_position",
          state.data_position,
          fmt::format("the place in {} lines after {} steps of batch_size {} and {} "
                      "\"skipped_lines\"",
                      examples, state.step, config.batch_size, state.skipped_lines));
}

}  // namespace

double TrainerState::window_mean() const {
  return std::accumulate(recent_losses.begin(), recent_losses.end(), 0.0) /
         static_cast<double>(recent_losses.size());
}

Json TrainerState::to_json() const {
  Json json{{"step", step},
            {"data_position", data_position},
            {"skipped_lines", skipped_lines},
            {"data_read", data_read.to_json()},
            {"updates", updates},
            {"skipped_updates", skipped_updates},
            {"skipped_in_a_row", skipped_in_a_row},
            {"group_is_spoiled", group_is_spoiled},
            {"loss_sum", loss_sum},
            {"losses", losses},
            {"recent_losses", recent_losses},
            {"first_loss", first_loss ? Json(*first_loss) : Json(nullptr)},
            {"grad_norm", grad_norm ? Json(*grad_norm) : Json(nullptr)},
            {"elapsed_s", elapsed_s}};
  if (std::ssize(recent_losses) != recent_of(losses)) json.erase("recent_losses");
  return json;
}

TrainerState TrainerState::from_json(const Json& json) {
  return {.step = count_at(json, "step"),
          .data_position = count_at(json, "data_position"),
          .skipped_lines = count_at(json, "skipped_lines"),
          // Checkpoints of earlier versions have no counts.
          .data_read = json.contains("data_read")
                           ? DataCounts::from_json(object_at(json, "data_read"))
                           : DataCounts(),
          .updates = count_at(json, "updates"),
          .skipped_updates = count_at(json, "skipped_updates"),
          .skipped_in_a_row = count_at(json, "skipped_in_a_row"),
          .group_is_spoiled = boolean_at(json, "group_is_spoiled"),
          .loss_sum = number_at(json, "loss_sum"),
          .losses = count_at(json, "losses"),
          .recent_losses = recent_losses_at(json),
          .first_loss = optional_at(json, "first_loss"),
          .grad_norm = optional_at(json, "grad_norm"),
          .elapsed_s = number_at(json, "elapsed_s")};
}

void check_state(const TrainerState& state, const RunConfig& config, std::int64_t examples) {
  check_updates(state, config);
  check_losses(state);
  check_data(state, config, examples);
}

}  // namespace gladius
