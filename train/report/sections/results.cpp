#include <fmt/format.h>
#include <fmt/ranges.h>

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

// What is known of a student on the held-out data, with the keys of evaluation.json.
struct Evaluated {
  std::string student;  // "student, trained"
  Json result;
};

Evaluated evaluated(const StepRecord& step) {
  const StepEvaluation& of = *step.evaluation;
  return {fmt::format("student, step {}", format_count(step.step)),
          {{"cross_entropy", of.cross_entropy},
           {"perplexity", of.perplexity},
           {"bits_per_byte", of.bits_per_byte ? Json(*of.bits_per_byte) : Json()},
           {"tokens", of.tokens}}};
}

std::vector<std::string> row(std::string model, const Json& evaluation) {
  return {std::move(model), number(evaluation, "cross_entropy"), number(evaluation, "perplexity"),
          number(evaluation, "bits_per_byte"), number(evaluation, "tokens")};
}

// The steps that were evaluated, in order.
std::vector<const StepRecord*> evaluated_steps(const RunRecord& record) {
  std::vector<const StepRecord*> steps;
  for (const StepRecord& step : record.metrics) {
    if (step.evaluation) steps.push_back(&step);
  }
  return steps;
}

// Of the trained student, else of the last step that was evaluated.
std::optional<Evaluated> newest(const RunRecord& record) {
  if (!record.evaluation.empty()) return Evaluated{"student, trained", record.evaluation};
  const auto steps = evaluated_steps(record);
  return steps.empty() ? std::nullopt : std::optional(evaluated(*steps.back()));
}

// A hand may have changed the file.
std::string text_of(const Json& object, const char* key) {
  const Json value = object.is_object() ? object.value(key, Json()) : Json();
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Table held_out(const RunRecord& record) {
  Table table{{"Model", "Cross-entropy", "Perplexity", "Bits per byte", "Tokens"}, {}, 1};
  if (const auto student = newest(record)) {
    table.rows.push_back(row(student->student, student->result));
  }
  if (!record.best.empty()) {
    table.rows.push_back(
        row(fmt::format("student in best/, step {}", number(record.best, "step")), record.best));
  }
  for (const Json& expert : record.expert_evaluations.value("experts", Json::array())) {
    if (!expert.is_object()) continue;
    table.rows.push_back(row("expert " + text_of(expert, "expert"), expert));
  }
  return table;
}

// Every evaluation of the student.
Table curve(const RunRecord& record) {
  Table table{{"Step", "Cross-entropy", "Perplexity", "Bits per byte"}, {}, 0};
  for (const StepRecord* step : evaluated_steps(record)) {
    table.rows.push_back({format_count(step->step),
                          fmt::format("{:.4f}", step->evaluation->cross_entropy),
                          fmt::format("{:.4f}", step->evaluation->perplexity),
                          number(step->evaluation->bits_per_byte)});
  }
  return table;
}

// "12 of 40"
std::string share_of(const Json& score, const char* right, const char* all) {
  const std::int64_t cases = score.value(all, std::int64_t{0});
  return cases > 0 ? fmt::format("{} of {}", score.value(right, std::int64_t{0}), cases) : "-";
}

std::vector<std::string> suite_row(const std::string& name, const Json& score) {
  return {name, share_of(score, "parsed", "cases"), share_of(score, "name_right", "calls"),
          share_of(score, "arguments_right", "calls"), share_of(score, "all_right", "cases")};
}

// How many of a category's cases ("" for all) an expert has right.
std::string expert_score(const Json& expert, const std::string& category) {
  const Json score = category.empty()
                         ? expert
                         : expert.value("categories", Json::object()).value(category, Json());
  return score.is_object() ? share_of(score, "all_right", "cases") : "-";
}

// By category, and all; the experts beside the student.
Table suite(const Json& evaluation) {
  Table table{{"Suite", "Parsed", "Right name", "Right arguments", "All right"}, {}, 1};
  const Json experts = evaluation.value("experts", Json::array());
  for (const Json& expert : experts) {
    table.header.push_back(fmt::format("Expert {}", text_of(expert, "expert")));
  }
  const auto add = [&](const std::string& name, const std::string& category, const Json& score) {
    table.rows.push_back(suite_row(name, score));
    for (const Json& expert : experts) {
      table.rows.back().push_back(expert_score(expert, category));
    }
  };
  const Json categories = evaluation.value("categories", Json::object());
  for (const auto& [name, score] : categories.items()) {
    if (score.is_object()) add(name, name, score);
  }
  if (categories.size() != 1) add("all", "", evaluation);
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

// Experts that are never evaluated, and why; nothing where all are.
std::string left_out(const RunConfig& config) {
  std::vector<std::string> names;
  for (const ExpertConfig& expert : config.experts) {
    const VocabularyMode mode = expert.vocabulary;
    if (mode == VocabularyMode::align || mode == VocabularyMode::truncate) {
      names.push_back(expert.name);
    }
  }
  if (names.empty()) return "";
  return fmt::format(" Not evaluated, for a vocabulary that is not the student's: {}.",
                     fmt::join(names, ", "));
}

void add_held_out(Document& document, const RunRecord& record, Table table) {
  if (table.rows.empty()) return;
  document.push_back(Paragraph{settings(record.config.data) + left_out(record.config)});
  document.push_back(std::move(table));
}

void add_suite(Document& document, const RunRecord& record) {
  if (record.suite.empty()) return;
  document.push_back(
      Paragraph{record.suite.contains("experts")
                    ? "What the trained student answers to the cases of "
                      "eval_suite, and how many of them its experts have right:"
                    : "What the trained student answers to the cases of eval_suite:"});
  document.push_back(suite(record.suite));
}

// Where the student began, as far as that was measured, above the newest.
Table held_out_since_start(const RunRecord& record) {
  Table table = held_out(record);
  const auto steps = evaluated_steps(record);
  if (steps.size() > 1) {
    const Evaluated first = evaluated(*steps.front());
    table.rows.insert(table.rows.begin(), row(first.student + " (first evaluation)", first.result));
  }
  return table;
}

std::optional<StepSuite> newest_suite(const RunRecord& record) {
  std::optional<StepSuite> last;
  for (const StepRecord& step : record.metrics) {
    if (step.suite) last = step.suite;
  }
  return last;
}

// What a run is judged by: data that it has not learned from, else the losses.
Facts headline(const RunRecord& record) {
  Facts facts;
  if (const auto student = newest(record)) {
    const std::string bits = number(student->result, "bits_per_byte");
    if (bits != "-") facts.items.emplace_back("Held-out bits per byte", bits);
    facts.items.emplace_back("Held-out perplexity", number(student->result, "perplexity"));
  } else if (!record.metrics.empty()) {
    facts.items.emplace_back(fmt::format("Training loss, mean of the last {}", kLossWindow),
                             fmt::format("{:.4f}", record.metrics.back().loss_window_mean));
  }
  if (const auto suite = newest_suite(record)) {
    facts.items.emplace_back("Suite, all right",
                             fmt::format("{} of {}", suite->all_right, suite->cases));
  }
  return facts;
}

// What the student is asked, as one text.
std::string conversation_text(const Json& messages) {
  std::string text;
  for (const Json& message : messages) {
    const Json content = message.is_object() ? message.value("content", Json()) : message;
    text += fmt::format("{}{}", text.empty() ? "" : " / ",
                        content.is_string() ? content.get<std::string>() : content.dump());
  }
  return text;
}

void add_samples(Document& document, const RunRecord& record) {
  if (!record.samples) return;
  document.push_back(Paragraph{
      fmt::format("What the student answered after step {} (sample_every); ... where it was cut:",
                  format_count(record.samples->step))});
  Table table{{"Asked", "Answer"}, {}};
  for (const Sample& sample : record.samples->samples) {
    table.rows.push_back(
        {conversation_text(sample.messages), sample.answer + (sample.cut ? " ..." : "")});
  }
  document.push_back(std::move(table));
}

std::string why_not_evaluated(const RunConfig& config) {
  return config.data.eval.empty() && !config.eval_suite
             ? "The run had no held-out data and no suite: it was not evaluated."
             : "It has not been evaluated yet.";
}

}  // namespace

void add_results(Document& document, const RunRecord& record) {
  const std::size_t before = document.size();
  add_held_out(document, record, held_out(record));
  add_suite(document, record);
  if (document.size() == before) document.push_back(Paragraph{why_not_evaluated(record.config)});
}

void add_all_results(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Results"});
  Facts facts = headline(record);
  if (!facts.items.empty()) document.push_back(std::move(facts));
  const std::size_t before = document.size();
  add_held_out(document, record, held_out_since_start(record));
  add_curve(document, curve(record), "evaluations");
  add_suite(document, record);
  add_curve(document, suite_curve(record), "times asked");
  if (document.size() == before) document.push_back(Paragraph{why_not_evaluated(record.config)});
  add_samples(document, record);
}

}  // namespace gladius::train
