#include "gladius/train/run/metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/text_file.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

Json optional_number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

std::optional<double> read_optional(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

double read_number(const Json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

constexpr std::pair<const char*, std::int64_t StepSuite::*> kSuiteCounts[] = {
    {"suite_cases", &StepSuite::cases},
    {"suite_parsed", &StepSuite::parsed},
    {"suite_calls", &StepSuite::calls},
    {"suite_name_right", &StepSuite::name_right},
    {"suite_arguments_right", &StepSuite::arguments_right},
    {"suite_all_right", &StepSuite::all_right}};

}  // namespace

std::string describe(const StepSuite& suite) {
  std::string text = fmt::format("{} of {} all right", suite.all_right, suite.cases);
  if (suite.calls > 0) {
    text += fmt::format(", of {} calls {} with the right name, {} with the right arguments",
                        suite.calls, suite.name_right, suite.arguments_right);
  }
  return text;
}

Json StepRecord::to_json() const {
  Json json{{"step", step},
            {"expert", expert ? Json(*expert) : Json(nullptr)},
            {"loss", loss},
            {"loss_running_mean", loss_running_mean},
            {"loss_window_mean", loss_window_mean},
            {"kl", optional_number(kl)},
            {"ce", ce},
            {"lr", lr},
            {"grad_norm", optional_number(grad_norm)},
            {"skipped_updates", skipped_updates},
            {"tokens", tokens},
            {"tokens_per_s", tokens_per_s},
            {"elapsed_s", elapsed_s}};
  if (skipped_lines > 0) json["skipped_lines"] = skipped_lines;
  for (const auto& [part, norm] : grad_norms) json["grad_norms"][part] = optional_number(norm);
  if (ranks) {
    json["ranks"] = ranks->count;
    json["waiting_share"] = optional_number(ranks->waiting);
  }
  if (memory_mib) json["memory_mib"] = *memory_mib;
  if (on_policy) {
    json["on_policy_share"] = on_policy->share;
    json["on_policy_mean_tokens"] = optional_number(on_policy->mean_tokens);
    json["on_policy_s"] = on_policy->seconds;
    json["on_policy_tokens_per_s"] = optional_number(on_policy->tokens_per_s);
  }
  if (evaluation) {
    json["eval_cross_entropy"] = optional_number(evaluation->cross_entropy);
    json["eval_perplexity"] = optional_number(evaluation->perplexity);
    json["eval_bits_per_byte"] = optional_number(evaluation->bits_per_byte);
    json["eval_tokens"] = evaluation->tokens;
  }
  if (suite) {
    for (const auto& [name, count] : kSuiteCounts) json[name] = *suite.*count;
  }
  return json;
}

StepRecord StepRecord::from_json(const Json& json) try {
  StepRecord record;
  record.step = json.at("step").get<std::int64_t>();
  if (!json.at("expert").is_null()) record.expert = json.at("expert").get<std::string>();
  record.loss = read_number(json.at("loss"));
  record.loss_running_mean = read_number(json.at("loss_running_mean"));
  record.loss_window_mean = read_number(json.value("loss_window_mean", Json()));
  record.kl = read_optional(json.at("kl"));
  record.ce = read_number(json.at("ce"));
  record.lr = json.at("lr").get<double>();
  record.grad_norm = read_optional(json.at("grad_norm"));
  record.skipped_updates = json.at("skipped_updates").get<std::int64_t>();
  record.tokens = json.at("tokens").get<std::int64_t>();
  record.tokens_per_s = read_number(json.at("tokens_per_s"));
  record.elapsed_s = json.at("elapsed_s").get<double>();
  record.skipped_lines = json.value("skipped_lines", std::int64_t{0});
  if (json.contains("grad_norms")) {
    for (const auto& [part, norm] : json.at("grad_norms").get_ref<const Json::object_t&>()) {
      record.grad_norms.emplace_back(part, read_number(norm));
    }
  }
  if (json.contains("ranks")) {
    record.ranks = {.count = json.at("ranks").get<std::int64_t>(),
                    .waiting = read_optional(json.value("waiting_share", Json()))};
  }
  record.memory_mib = read_optional(json.value("memory_mib", Json()));
  if (json.contains("on_policy_share")) {
    record.on_policy = {.share = json.at("on_policy_share").get<double>(),
                        .mean_tokens = read_optional(json.at("on_policy_mean_tokens")),
                        .seconds = json.at("on_policy_s").get<double>(),
                        .tokens_per_s = read_optional(json.at("on_policy_tokens_per_s"))};
  }
  if (json.contains("eval_tokens")) {
    record.evaluation = {.cross_entropy = read_number(json.at("eval_cross_entropy")),
                         .perplexity = read_number(json.at("eval_perplexity")),
                         .bits_per_byte = read_optional(json.value("eval_bits_per_byte", Json())),
                         .tokens = json.at("eval_tokens").get<std::int64_t>()};
  }
  if (json.contains("suite_cases")) {
    record.suite.emplace();
    for (const auto& [name, count] : kSuiteCounts) {
      *record.suite.*count = json.at(name).get<std::int64_t>();
    }
  }
  return record;
} catch (const Json::exception& error) {
  throw FormatError(fmt::format("not a line of metrics: {}", reason_of(error)));
}

MetricsFile::MetricsFile(const std::filesystem::path& path) : file_(path) {
  const std::string before = read_text_file(path);
  offset_ = before.size();
  sum_.update(std::as_bytes(std::span(before)));
}

void MetricsFile::append(const StepRecord& record) {
  const std::string line = record.to_json().dump() + "\n";
  file_.append(line);
  offset_ += line.size();
  sum_.update(std::as_bytes(std::span(line)));
}

MetricsMark MetricsFile::sync() {
  file_.sync();
  return {.bytes = offset_, .sha256 = sum_.digest()};
}

StepRecord read_metrics_line(const std::string& line, const std::filesystem::path& path,
                             std::int64_t number) try {
  return StepRecord::from_json(parse_json<Json>(line));
} catch (const std::exception& error) {
  throw FormatError(fmt::format("{}:{}: {}", path.string(), number, error.what()));
}

std::vector<StepRecord> read_metrics(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw IoError(fmt::format("cannot read {}", path.string()));
  std::vector<StepRecord> records;
  std::string line;
  // A line without its newline is still being written.
  while (std::getline(in, line) && !in.eof()) {
    records.push_back(read_metrics_line(line, path, std::ssize(records) + 1));
  }
  return records;
}

}  // namespace gladius::train
