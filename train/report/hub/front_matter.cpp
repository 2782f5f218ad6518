#include "gladius/train/report/hub/front_matter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <ranges>

#include "gladius/tensor/base/text_format.h"
#include "gladius/train/report/hub/base_model.h"
#include "gladius/train/report/hub/yaml.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::optional<double> finite_number(const Json& json, const char* key) {
  const Json value = json.value(key, Json());
  if (!value.is_number() || !std::isfinite(value.get<double>())) return {};
  return value.get<double>();
}

std::int64_t whole_number(const Json& json, const char* key) {
  const Json value = json.value(key, Json());
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

std::string file_names(const std::vector<fs::path>& files) {
  std::vector<std::string> names;
  for (const fs::path& file : files) names.push_back(file.filename().string());
  return fmt::format("{}", fmt::join(names, ", "));
}

HubResult held_out_result(const RunRecord& record) {
  const Json& evaluation = record.evaluation;
  HubResult result{"held-out", file_names(record.config.data.eval), {}};
  const std::string tokens = format_count(whole_number(evaluation, "tokens"));
  const auto add = [&](const char* key, std::string name) {
    if (const auto value = finite_number(evaluation, key)) {
      result.metrics.push_back({key, std::move(name), *value});
    }
  };
  add("perplexity", fmt::format("Perplexity per token ({} tokens)", tokens));
  add("cross_entropy", fmt::format("Cross-entropy per token, in nats ({} tokens)", tokens));
  add("bits_per_byte",
      fmt::format("Bits per byte ({} bytes)", format_count(whole_number(evaluation, "bytes"))));
  return result;
}

void add_share(HubResult& result, const std::string& name, const char* unit, std::int64_t right,
               std::int64_t all) {
  if (all <= 0) return;
  const std::string_view units = unit;
  const auto counted = units.substr(0, units.size() - (all == 1 ? 1 : 0));  // "1 case"
  result.metrics.push_back({"accuracy", fmt::format("{} ({} {})", name, format_count(all), counted),
                            static_cast<double>(right) / static_cast<double>(all)});
}

HubResult suite_result(const RunRecord& record) {
  const Json& suite = record.suite;
  HubResult result{"behaviour-suite", record.config.eval_suite->filename().string(), {}};
  const auto share = [&](const std::string& name, const Json& score, const char* right,
                         const char* all) {
    add_share(result, name, all, whole_number(score, right), whole_number(score, all));
  };
  share("All right", suite, "all_right", "cases");
  share("Right names of calls", suite, "name_right", "calls");
  share("Right arguments of calls", suite, "arguments_right", "calls");
  const Json categories = suite.value("categories", Json::object());
  for (const auto& [name, score] : categories.items()) {
    if (score.is_object()) share("All right in " + name, score, "all_right", "cases");
  }
  return result;
}

void add_once(std::vector<std::string>& ids, const fs::path& model) {
  const auto id = hub_id(model);
  if (id && std::ranges::find(ids, *id) == ids.end()) ids.push_back(*id);
}

// "key:" and a line for each; nothing without any.
std::string yaml_list(const char* key, const std::vector<std::string>& texts) {
  if (texts.empty()) return "";
  std::string yaml = fmt::format("{}:\n", key);
  for (const std::string& text : texts) yaml += fmt::format("- {}\n", yaml_string(text));
  return yaml;
}

std::string model_index(const RunRecord& record) {
  const std::vector<HubResult> results = hub_results(record);
  if (results.empty()) return "";
  std::string yaml =
      fmt::format("model-index:\n- name: {}\n  results:\n", yaml_string(record.name()));
  for (const HubResult& result : results) {
    yaml += fmt::format(
        "  - task:\n      type: text-generation\n      name: Text generation\n"
        "    dataset:\n      type: {}\n      name: {}\n    metrics:\n",
        yaml_string(result.dataset_type), yaml_string(result.dataset_name));
    for (const HubMetric& metric : result.metrics) {
      yaml += fmt::format("    - type: {}\n      name: {}\n      value: {:.4f}\n",
                          yaml_string(metric.type), yaml_string(metric.name), metric.value);
    }
  }
  return yaml;
}

std::vector<std::string> tags(const RunRecord& record) {
  std::vector<std::string> list{"gladius"};
  if (!record.config.experts.empty()) list.emplace_back("knowledge-distillation");
  if (record.model && !record.model->model_type.empty()) list.push_back(record.model->model_type);
  return list;
}

}  // namespace

std::vector<HubResult> hub_results(const RunRecord& record) {
  std::vector<HubResult> results;
  if (!record.config.data.eval.empty()) results.push_back(held_out_result(record));
  if (record.config.eval_suite) results.push_back(suite_result(record));
  std::erase_if(results, [](const HubResult& result) { return result.metrics.empty(); });
  return results;
}

std::vector<std::string> base_models(const RunConfig& config) {
  std::vector<std::string> ids;
  if (config.student.init) add_once(ids, *config.student.init);
  if (config.student.init_from) add_once(ids, config.student.init_from->model);
  for (const ExpertConfig& expert : config.experts) add_once(ids, expert.model);
  return ids;
}

std::vector<std::string> languages(const CardConfig& card) {
  std::vector<std::string> codes;
  for (const auto part : std::views::split(card.language, ',')) {
    std::string code(part.begin(), part.end());
    std::erase(code, ' ');
    if (!code.empty()) codes.push_back(std::move(code));
  }
  return codes;
}

std::string front_matter(const RunRecord& record) {
  const CardConfig& card = record.config.card;
  return fmt::format(
      "---\nlicense: {}\n{}{}library_name: transformers\npipeline_tag: text-generation\n{}{}---\n",
      yaml_string(card.license.empty() ? "unknown" : card.license),
      yaml_list("language", languages(card)), yaml_list("base_model", base_models(record.config)),
      yaml_list("tags", tags(record)), model_index(record));
}

}  // namespace gladius::train
