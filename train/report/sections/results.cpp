#include <fmt/format.h>

#include <optional>

#include "gladius/tensor/base/text_format.h"
#include "sections.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

std::string number(const Json& evaluation, const char* key) {
  const Json value = evaluation.value(key, Json());
  if (value.is_number_float()) return fmt::format("{:.4f}", value.get<double>());
  return value.is_number_integer() ? format_count(value.get<std::int64_t>()) : "-";
}

std::string number(const std::optional<double>& value) {
  return value ? fmt::format("{:.4f}", *value) : "-";
}

std::vector<std::string> row(std::string model, const Json& evaluation) {
  return {std::move(model), number(evaluation, "cross_entropy"), number(evaluation, "perplexity"),
          number(evaluation, "bits_per_byte"), number(evaluation, "tokens")};
}

const StepRecord* last_evaluated(const RunRecord& record) {
  for (auto step = record.metrics.rbegin(); step != record.metrics.rend(); ++step) {
    if (step->evaluation) return &*step;
  }
  return nullptr;
}

Table held_out(const RunRecord& record) {
  Table table{{"Model", "Cross-entropy", "Perplexity", "Bits per byte", "Tokens"}, {}, 1};
  if (!record.evaluation.empty()) {
    table.rows.push_back(row("student, trained", record.evaluation));
  } else if (const StepRecord* last = last_evaluated(record)) {
    table.rows.push_back({fmt::format("student, step {}", format_count(last->step)),
                          fmt::format("{:.4f}", last->evaluation->cross_entropy),
                          fmt::format("{:.4f}", last->evaluation->perplexity),
                          number(last->evaluation->bits_per_byte),
                          format_count(last->evaluation->tokens)});
  }
  if (!record.best.empty()) {
    table.rows.push_back(
        row(fmt::format("student in best/, step {}", number(record.best, "step")), record.best));
  }
  for (const Json& expert : record.expert_evaluations.value("experts", Json::array())) {
    if (!expert.is_object()) continue;
    const Json name = expert.value("expert", Json());
    table.rows.push_back(
        row("expert " + (name.is_string() ? name.get<std::string>() : name.dump()), expert));
  }
  return table;
}

// Every evaluation of the student.
Table curve(const RunRecord& record) {
  Table table{{"Step", "Cross-entropy", "Perplexity", "Bits per byte"}, {}, 0};
  for (const StepRecord& step : record.metrics) {
    if (!step.evaluation) continue;
    table.rows.push_back({format_count(step.step),
                          fmt::format("{:.4f}", step.evaluation->cross_entropy),
                          fmt::format("{:.4f}", step.evaluation->perplexity),
                          number(step.evaluation->bits_per_byte)});
  }
  return table;
}

std::vector<std::string> suite_row(const std::string& name, const Json& score) {
  const auto of = [&](const char* right, const char* all) {
    const std::int64_t cases = score.value(all, std::int64_t{0});
    return cases > 0 ? fmt::format("{} of {}", score.value(right, std::int64_t{0}), cases)
                     : std::string("-");
  };
  return {name, of("parsed", "cases"), of("name_right", "calls"), of("arguments_right", "calls"),
          of("all_right", "cases")};
}

// By category, and all.
Table suite(const Json& evaluation) {
  Table table{{"Suite", "Parsed", "Right name", "Right arguments", "All right"}, {}, 1};
  const Json categories = evaluation.value("categories", Json::object());
  for (const auto& [name, score] : categories.items()) {
    if (score.is_object()) table.rows.push_back(suite_row(name, score));
  }
  if (categories.size() != 1) table.rows.push_back(suite_row("all", evaluation));
  return table;
}

// Every time that the student was asked.
Table suite_curve(const RunRecord& record) {
  Table table{{"Step", "Right names of calls", "All right"}, {}, 0};
  for (const StepRecord& step : record.metrics) {
    if (!step.suite) continue;
    table.rows.push_back({format_count(step.step),
                          fmt::format("{} of {}", step.suite->name_right, step.suite->calls),
                          fmt::format("{} of {}", step.suite->all_right, step.suite->cases)});
  }
  return table;
}

void add_curve(Document& document, Table curve, const char* what) {
  if (curve.rows.size() <= 1) return;
  document.push_back(
      Collapsed{format_count(std::ssize(curve.rows)) + " " + what, std::move(curve)});
}

// What the numbers were measured with.
std::string settings(const DataConfig& data) {
  return fmt::format(
      "On the held-out data (data.eval), loss_on {}, examples cut at {} tokens "
      "(max_seq_len).",
      name_of(data.loss_on), format_count(data.max_seq_len));
}

}  // namespace

void add_results(Document& document, const RunRecord& record) {
  if (!record.suite.empty()) {
    document.push_back(Paragraph{"What the trained student answers to the cases of eval_suite:"});
    document.push_back(suite(record.suite));
  }
  Table table = held_out(record);
  if (table.rows.empty()) return;
  document.push_back(Paragraph{settings(record.config.data)});
  document.push_back(std::move(table));
}

void add_held_out(Document& document, const RunRecord& record) {
  add_results(document, record);
  add_curve(document, suite_curve(record), "times asked");
  add_curve(document, curve(record), "evaluations");
}

}  // namespace gladius::train
