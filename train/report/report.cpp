#include "gladius/train/report/report.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>

#include "gladius/tensor/io/text_file.h"
#include "gladius/tensor/shape.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

// 1234567 -> "1,234,567"
std::string grouped(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string grouped(std::int64_t number) { return grouped(static_cast<std::uint64_t>(number)); }

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.2f} MB", static_cast<double>(bytes) / (1 << 20));
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string change(double value, double start) {
  return fmt::format("{:+.1f}%", (value / start - 1) * 100);
}

std::int64_t total_parameters(const RunRecord& record) {
  std::int64_t total = 0;
  for (const TensorRecord& tensor : record.tensors) total += tensor.parameters;
  return total;
}

Table identification(const RunRecord& record) {
  Table table{{"Field", "Value"}, {}};
  table.rows.push_back({"Name", std::filesystem::absolute(record.directory).filename().string()});
  const Json architectures = record.model_config.is_object()
                                 ? record.model_config.value("architectures", Json::array())
                                 : Json::array();
  if (!architectures.empty()) {
    table.rows.push_back({"Architecture", text_of(architectures[0])});
  }
  if (!record.tensors.empty()) {
    table.rows.push_back({"Parameters", grouped(total_parameters(record))});
    table.rows.push_back({"Precision", record.tensors.front().dtype});
  }
  table.rows.push_back({"File format", "SafeTensors"});
  table.rows.push_back({"Framework", "Gladius"});
  return table;
}

std::size_t experts_completed(const RunRecord& record) {
  const TrainingPlan plan = record.plan();
  std::size_t completed = 0;
  for (const Stage& stage : plan.stages()) completed += record.steps() >= stage.end;
  return completed;
}

Table status(const RunRecord& record) {
  Table table{{"Metric", "Value"}, {}};
  table.rows.push_back({"Training status", record.complete ? "Complete" : "In progress"});
  table.rows.push_back({"Steps", fmt::format("{} of {}", grouped(record.steps()),
                                             grouped(record.plan().total_steps()))});
  if (!record.config.experts.empty()) {
    table.rows.push_back({"Experts completed", fmt::format("{} of {}", experts_completed(record),
                                                           record.config.experts.size())});
  }
  if (!record.metrics.empty()) {
    const StepRecord &first = record.metrics.front(), &last = record.metrics.back();
    table.rows.push_back({"Loss (last step)", fmt::format("{:.4f}", last.loss)});
    table.rows.push_back(
        {"Loss (running mean since step 0)", fmt::format("{:.4f}", last.loss_running_mean)});
    table.rows.push_back({"Initial loss", fmt::format("{:.4f}", first.loss)});
    table.rows.push_back({"Updates skipped (not finite)", grouped(last.skipped_updates)});
    if (last.skipped_lines > 0) {
      table.rows.push_back({"Bad lines passed over", grouped(last.skipped_lines)});
    }
  }
  for (const auto& [key, value] : record.evaluation.items()) {
    table.rows.push_back({"Evaluation: " + key, text_of(value)});
  }
  return table;
}

// "model.layers.3.mlp.up_proj.weight" -> "Layers", ...
std::string component_of(const std::string& name) {
  if (name.starts_with("model.embed_tokens.")) return "Embedding";
  if (name.starts_with("lm_head.")) return "LM head";
  if (name.starts_with("model.norm.")) return "Final norm";
  if (name.find(".self_attn.") != std::string::npos) return "Layers: attention";
  if (name.find(".mlp.") != std::string::npos) return "Layers: MLP";
  if (name.find("layernorm") != std::string::npos) return "Layers: norms";
  return "Other";
}

Table parameter_breakdown(const RunRecord& record) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> components;  // tensors, parameters
  for (const TensorRecord& tensor : record.tensors) {
    auto& [tensors, parameters] = components[component_of(tensor.name)];
    ++tensors;
    parameters += tensor.parameters;
  }
  Table table{{"Component", "Tensors", "Parameters"}, {}};
  for (const auto& [name, counts] : components) {
    table.rows.push_back({name, grouped(counts.first), grouped(counts.second)});
  }
  table.rows.push_back({"Total", grouped(static_cast<std::int64_t>(record.tensors.size())),
                        grouped(total_parameters(record))});
  return table;
}

Table weight_files(const RunRecord& record) {
  Table table{{"File", "Size", "SHA-256"}, {}};
  for (const WeightFile& file : record.weight_files) {
    table.rows.push_back({std::filesystem::relative(file.path, record.directory).string(),
                          fmt::format("{} bytes ({})", grouped(file.bytes), mebibytes(file.bytes)),
                          file.sha256});
  }
  return table;
}

Table experts(const RunRecord& record) {
  Table table{{"Expert", "Model", "Steps", "Vocabulary"}, {}};
  for (const ExpertConfig& expert : record.config.experts) {
    table.rows.push_back({expert.name, expert.model.string(), grouped(expert.steps),
                          expert.vocabulary == VocabularyMode::same ? "same" : "truncate"});
  }
  return table;
}

std::string method(const RunRecord& record) {
  const RunConfig& config = record.config;
  if (config.experts.empty()) return "Trained on the data alone: cross-entropy of the next token.";
  return fmt::format(
      "Knowledge distillation: loss = {} KL(teacher || student) T^2 + {} CE, with the softened "
      "distributions at T = {}. The divergence is {}; the cross-entropy is a mean over tokens.",
      config.alpha, 1 - config.alpha, config.temperature,
      config.reduction == LossReduction::mean ? "a mean over tokens"
                                              : "summed over a sequence's tokens");
}

Table configuration(const RunRecord& record) {
  const Json resolved = record.config.resolved().flatten();
  Table table{{"Key", "Value"}, {}};
  for (const auto& [key, value] : resolved.items()) {
    if (!key.starts_with("/experts")) table.rows.push_back({key.substr(1), text_of(value)});
  }
  return table;
}

Table environment(const RunRecord& record) {
  Table table{{"Component", "Value"}, {}};
  for (const auto& [key, value] : record.environment.items()) {
    const bool bytes = key == "memory_bytes" && value.is_number_unsigned();
    table.rows.push_back(
        {bytes ? "memory" : key, bytes ? mebibytes(value.get<std::uint64_t>()) : text_of(value)});
  }
  return table;
}

Table timeline(const RunRecord& record) {
  Table table{{"Time (UTC)", "Event"}, {}};
  for (const TimelineEntry& entry : record.timeline)
    table.rows.push_back({entry.time, entry.event});
  return table;
}

// Every log_every-th step, as the run's table showed them, and the last.
std::vector<const StepRecord*> sampled(const RunRecord& record) {
  std::vector<const StepRecord*> samples;
  for (const StepRecord& step : record.metrics) {
    if (step.step % record.config.log_every == 0 || &step == &record.metrics.back()) {
      samples.push_back(&step);
    }
  }
  return samples;
}

Table losses(const RunRecord& record) {
  Table table{{"Step", "Loss", "Running mean", "Change from start"}, {}};
  const double start = record.metrics.front().loss_running_mean;
  for (const StepRecord* step : sampled(record)) {
    table.rows.push_back({fmt::format("{}", step->step), fmt::format("{:.4f}", step->loss),
                          fmt::format("{:.4f}", step->loss_running_mean),
                          step->step == 0 ? "baseline" : change(step->loss_running_mean, start)});
  }
  return table;
}

Table convergence(const RunRecord& record) {
  const double first = record.metrics.front().loss_running_mean;
  const double last = record.metrics.back().loss_running_mean;
  const std::int64_t window = std::min<std::int64_t>(10, record.steps());
  double recent = 0;
  for (std::int64_t i = record.steps() - window; i < record.steps(); ++i) {
    recent += record.metrics[static_cast<std::size_t>(i)].loss / static_cast<double>(window);
  }
  Table table{{"Metric", "Value"}, {}};
  table.rows = {
      {"Initial loss", fmt::format("{:.4f}", first)},
      {"Running mean", fmt::format("{:.4f}", last)},
      {fmt::format("Mean of the last {} steps", window), fmt::format("{:.4f}", recent)},
      {"Absolute reduction (running mean)", fmt::format("{:.4f}", first - last)},
      {"Percentage reduction (running mean)", fmt::format("{:.1f}%", (1 - last / first) * 100)},
      {"Average change a step",
       fmt::format("{:.5f}", (last - first) / static_cast<double>(
                                                  std::max<std::int64_t>(1, record.steps() - 1)))},
      {"Steps completed", grouped(record.steps())},
      {"Steps remaining", grouped(record.plan().total_steps() - record.steps())},
  };
  return table;
}

Plot plot(const RunRecord& record, std::string title,
          const std::function<std::optional<double>(const StepRecord&)>& value) {
  Plot result{std::move(title), {}};
  for (const StepRecord& step : record.metrics) {
    if (const auto y = value(step)) result.points.push_back({static_cast<double>(step.step), *y});
  }
  return result;
}

Table tensor_list(const RunRecord& record) {
  Table table{{"Tensor", "Type", "Shape", "Parameters", "Size"}, {}};
  for (const TensorRecord& tensor : record.tensors) {
    table.rows.push_back({tensor.name, tensor.dtype, to_string(tensor.shape),
                          grouped(tensor.parameters), mebibytes(tensor.bytes)});
  }
  return table;
}

std::string raw_losses(const RunRecord& record) {
  Json raw{{"step", Json::array()}, {"loss", Json::array()}, {"loss_running_mean", Json::array()}};
  for (const StepRecord* step : sampled(record)) {
    raw["step"].push_back(step->step);
    raw["loss"].push_back(step->loss);
    raw["loss_running_mean"].push_back(step->loss_running_mean);
  }
  return raw.dump();
}

void add_section(Document& document, const char* title, Block block) {
  document.push_back(Heading{2, title});
  document.push_back(std::move(block));
}

void add_weights(Document& document, const RunRecord& record) {
  if (record.tensors.empty()) return;
  add_section(document, "Parameters", parameter_breakdown(record));
  add_section(document, "Weights", weight_files(record));
  if (!record.complete) {
    document.push_back(Paragraph{"These are the newest checkpoint's; training goes on."});
  }
}

void add_method(Document& document, const RunRecord& record) {
  add_section(document, "Training method", Paragraph{method(record)});
  if (!record.config.experts.empty()) document.push_back(experts(record));
  add_section(document, "Training configuration", configuration(record));
  if (record.model_config.is_object()) {
    add_section(document, "Model configuration", CodeBlock{"json", record.model_config.dump(2)});
  }
}

void add_progress(Document& document, const RunRecord& record) {
  if (!record.environment.empty()) add_section(document, "Hardware", environment(record));
  if (!record.timeline.empty()) add_section(document, "Timeline", timeline(record));
  if (record.metrics.empty()) return;
  add_section(document, "Loss",
              plot(record, "Loss of each step", [](const auto& step) { return step.loss; }));
  document.push_back(plot(record, "Loss: mean since step 0",
                          [](const auto& step) { return step.loss_running_mean; }));
  document.push_back(losses(record));
  add_section(document, "Convergence", convergence(record));
  add_section(document, "Course of training",
              plot(record, "Learning rate", [](const auto& step) { return step.lr; }));
  document.push_back(plot(record, "Gradient norm before clipping",
                          [](const auto& step) { return step.grad_norm; }));
  document.push_back(
      plot(record, "Tokens a second", [](const auto& step) { return step.tokens_per_s; }));
  document.push_back(
      Paragraph{fmt::format("Time spent on steps: {:.1f} s.", record.metrics.back().elapsed_s)});
}

}  // namespace

Document model_card(const RunRecord& record) {
  Document document{
      Heading{1, "Model card: " + std::filesystem::absolute(record.directory).filename().string()}};
  add_section(document, "Identification", identification(record));
  add_section(document, "Status", status(record));
  add_weights(document, record);
  add_method(document, record);
  add_progress(document, record);
  if (!record.tensors.empty()) add_section(document, "Complete tensor list", tensor_list(record));
  if (!record.metrics.empty()) {
    add_section(document, "Raw loss data", CodeBlock{"json", raw_losses(record)});
  }
  return document;
}

void write_report(const RunPaths& paths) {
  const RunRecord record = RunRecord::read(paths);
  const Document document = model_card(record);
  write_text_file(paths.report_markdown(), to_markdown(document));
  write_text_file(
      paths.report_html(),
      to_html(document,
              "Gladius: " + std::filesystem::absolute(record.directory).filename().string()));
}

}  // namespace gladius
