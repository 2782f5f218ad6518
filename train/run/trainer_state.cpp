#include "gladius/train/run/trainer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_fields.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/training_plan.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// A number, or null.
std::optional<double> optional_number(const JsonFields& fields, const std::string& key) {
  if (!fields.contains(key)) fields.fail(key, "is missing");
  return fields.optional<double>(key);
}

// None where they are missing: checkpoints of earlier versions have no counts.
DataCounts read_counts(const JsonFields& fields) {
  constexpr const char* key = "data_read";
  if (!fields.contains(key)) return {};
  return DataCounts::from_json(fields.checked(key, "an object {...}", fields.at(key).is_object()));
}

// None where no group is open, or the run does not count them.
std::optional<UpdateTerms> read_update_terms(const JsonFields& fields) {
  constexpr const char* key = "update_terms";
  if (!fields.contains(key)) return std::nullopt;
  const JsonFields terms = fields.nested(key);
  return UpdateTerms{.labelled = terms.count("labelled"), .compared = terms.count("compared")};
}

// None where no group is open, or the student writes nothing.
std::optional<std::vector<OwnAnswer>> read_own_answers(const JsonFields& fields) {
  constexpr const char* key = "own_answers";
  if (!fields.contains(key)) return std::nullopt;
  std::vector<OwnAnswer> answers;
  for (const Json& answer : fields.checked(key, "a list", fields.at(key).is_array())) {
    const JsonFields one(answer, "\"state\"", key, JsonKind::record);
    if (!one.has("ids")) one.fail("ids", "is missing");
    answers.push_back({one.count("step"), one.count("sequence"), one.token_ids("ids")});
  }
  return answers;
}

// How many of so many losses are kept.
std::int64_t recent_of(std::int64_t losses) { return std::min<std::int64_t>(losses, kLossWindow); }

// None where it is missing: checkpoints of earlier versions have no such list, nor have those of
// runs that resumed from one, until it is as long as it has to be.
std::vector<double> read_recent_losses(const JsonFields& fields) {
  constexpr const char* key = "recent_losses";
  if (!fields.contains(key)) return {};
  const Json& list = fields.at(key);
  const bool fits = list.is_array() && std::ranges::all_of(list, JsonFields::is_finite);
  fields.checked(key, "a list of numbers", fits);
  fields.checked(key, "the last losses", !list.empty() || fields.count("losses") == 0);
  return list.get<std::vector<double>>();
}

void require(bool holds, const char* key, const auto& value, const std::string& expected) {
  if (!holds) throw FormatError(fmt::format("\"{}\" is {}; expected {}", key, value, expected));
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

void check_update_terms(const TrainerState& state, const RunConfig& config) {
  const TrainingPlan plan(config);
  const bool group_is_open = state.step > 0 && !plan.ends_group(state.step - 1);
  const bool counted = group_is_open && config.loss.normalization == LossNormalization::tokens;
  require(state.update_terms.has_value() == counted, "update_terms",
          state.update_terms ? "there" : "missing",
          fmt::format("it to be {} at step {}", counted ? "there" : "missing", state.step));
  if (!counted) return;
  const std::int64_t most =
      plan.group_size(state.step) * config.batch_size * config.data.max_seq_len;
  for (const std::int64_t terms : {state.update_terms->labelled, state.update_terms->compared}) {
    require(terms <= most, "update_terms", terms,
            fmt::format("at most an update's {} tokens", most));
  }
}

void check_own_answers(const TrainerState& state, const RunConfig& config) {
  constexpr const char* kKey = "own_answers";
  const TrainingPlan plan(config);
  const bool group_is_open = state.step > 0 && !plan.ends_group(state.step - 1);
  const auto& expert = plan.stage_of(std::max<std::int64_t>(state.step - 1, 0)).expert;
  const bool writes = group_is_open && expert && expert->on_policy > 0;
  require(state.own_answers.has_value() == writes, kKey, state.own_answers ? "there" : "missing",
          fmt::format("it to be {} at step {}", writes ? "there" : "missing", state.step));
  if (!writes) return;
  const std::int64_t begin = plan.group_begin(state.step);
  const std::int64_t end = begin + plan.group_size(state.step);
  for (const OwnAnswer& answer : *state.own_answers) {
    require(answer.step >= begin && answer.step < end, kKey, answer.step,
            fmt::format("steps from {} to {}", begin, end - 1));
    require(!answer.ids.empty() && std::ssize(answer.ids) < config.data.max_seq_len, kKey,
            answer.ids.size(), "ids of a part of a sequence");
    require(std::ranges::min(answer.ids) >= 0, kKey, std::ranges::min(answer.ids), "tokens' ids");
  }
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
  if (update_terms) {
    json["update_terms"] = {{"labelled", update_terms->labelled},
                            {"compared", update_terms->compared}};
  }
  if (own_answers) {
    Json& list = json["own_answers"] = Json::array();
    for (const OwnAnswer& answer : *own_answers) {
      list.push_back({{"step", answer.step}, {"sequence", answer.sequence}, {"ids", answer.ids}});
    }
  }
  return json;
}

TrainerState TrainerState::from_json(const Json& json) {
  const JsonFields fields(json, "\"state\"", "", JsonKind::record);
  return {.step = fields.count("step"),
          .data_position = fields.count("data_position"),
          .skipped_lines = fields.count("skipped_lines"),
          .data_read = read_counts(fields),
          .updates = fields.count("updates"),
          .skipped_updates = fields.count("skipped_updates"),
          .skipped_in_a_row = fields.count("skipped_in_a_row"),
          .group_is_spoiled = fields.required<bool>("group_is_spoiled"),
          .update_terms = read_update_terms(fields),
          .own_answers = read_own_answers(fields),
          .loss_sum = fields.required<double>("loss_sum"),
          .losses = fields.count("losses"),
          .recent_losses = read_recent_losses(fields),
          .first_loss = optional_number(fields, "first_loss"),
          .grad_norm = optional_number(fields, "grad_norm"),
          .elapsed_s = fields.required<double>("elapsed_s")};
}

void check_state(const TrainerState& state, const RunConfig& config, std::int64_t examples) {
  check_updates(state, config);
  check_update_terms(state, config);
  check_own_answers(state, config);
  check_losses(state);
  check_data(state, config, examples);
}

}  // namespace gladius::train
