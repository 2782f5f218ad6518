#include <fmt/format.h>

#include <algorithm>

#include "gladius/tensor/base/text_format.h"
#include "sections.h"

namespace gladius::train {
namespace {

Table experts(const RunConfig& config, const NameModel& name_model) {
  Table table{{"Expert", "Model", "Vocabulary", "Steps"}, {}, 3};
  const bool writes = student_writes(config);
  if (writes) table.header.emplace_back("Answers by the student");
  for (const ExpertConfig& expert : config.experts) {
    table.rows.push_back(
        {expert.name, name_model(expert), name_of(expert.vocabulary), format_count(expert.steps)});
    if (writes) table.rows.back().push_back(fmt::format("{:g}", expert.on_policy));
  }
  return table;
}

std::string divergence(const LossConfig& loss) {
  constexpr const char* kTeacher = "softmax(teacher / T)";
  constexpr const char* kStudent = "softmax(student / T)";
  switch (loss.divergence) {
    case Divergence::forward_kl:
      break;
    case Divergence::reverse_kl:
      return fmt::format("KL({} || {})", kStudent, kTeacher);
    case Divergence::jsd:
      return fmt::format("JSD({} || {}), beta {:g},", kTeacher, kStudent, loss.beta);
    case Divergence::skew_kl:
      return fmt::format("KL({} || m), m = {:g} of it and {:g} of {},", kTeacher, loss.beta,
                         1 - loss.beta, kStudent);
  }
  return fmt::format("KL({} || {})", kTeacher, kStudent);
}

CodeBlock loss_formula(const RunConfig& config) {
  const LossConfig& loss = config.loss;
  const std::string tokens = loss.tokens == LossTokens::all ? "tokens" : "tokens with a label";
  const char* const whole = loss.normalization == LossNormalization::tokens ? ", of an update" : "";
  return {"", fmt::format("L = {:g} * L_KL + {:g} * L_CE\n\n"
                          "L_KL = {} * T^2, {}{}\n"
                          "L_CE = CrossEntropy(student, labels), a mean over the tokens{}\n"
                          "T    = {:g}",
                          loss.alpha, 1 - loss.alpha, divergence(loss),
                          loss.reduction == LossReduction::mean
                              ? "a mean over the " + tokens
                              : "a sum over each sequence (batchmean)",
                          whole, whole, loss.temperature)};
}

// What init_from.json says; a hand may have changed it.
void add_beginning(Document& document, const RunRecord& record) {
  const nlohmann::ordered_json& from = record.init_from;
  const auto shown = [](const nlohmann::ordered_json& in, const char* key) {
    const auto value = in.is_object() ? in.value(key, nlohmann::ordered_json()) : in;
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  if (from.empty()) return;
  document.push_back(Heading{2, "What the student began with"});
  const bool grew = from.is_object() && from.value("grow", nlohmann::ordered_json()) == true;
  document.push_back(Paragraph{fmt::format(
      "{}{} of {} tensors ({} of {} parameters) {} {}, whose layers {} are its own; the others {}.",
      grew ? "It said at first what a smaller model says. " : "", shown(from, "taken_tensors"),
      shown(from, "tensors"), shown(from, "taken_parameters"), shown(from, "parameters"),
      grew ? "grew from those of" : "are those of", shown(from, "model"), shown(from, "layers"),
      grew ? "(-1) added nothing yet" : "had fresh weights")});
  Table table{{grew ? "New" : "Fresh weights", "Tensors", "Why"}, {}};
  if (const auto fresh = from.find("fresh"); fresh != from.end() && fresh->is_array()) {
    for (const auto& kind : *fresh) {
      table.rows.push_back({shown(kind, "name"), shown(kind, "tensors"), shown(kind, "why")});
    }
  }
  if (!table.rows.empty()) document.push_back(std::move(table));
}

std::string describe_optimizer(const OptimizerConfig& optimizer) {
  const std::string adamw =
      fmt::format("AdamW, betas {:g} and {:g}, epsilon {:g}", optimizer.betas.first,
                  optimizer.betas.second, optimizer.eps);
  if (optimizer.name == OptimizerName::adamw) return adamw;
  return fmt::format("Muon, momentum {:g}, for the layers' matrices; {}, for the rest",
                     optimizer.momentum, adamw);
}

}  // namespace

void add_method(Document& document, const RunConfig& config, const NameModel& name_model) {
  document.push_back(Heading{2, "Training method"});
  if (config.experts.empty()) {
    document.push_back(
        Paragraph{"Trained on the data alone: cross-entropy of the next token, the mean over the "
                  "tokens with a label."});
    return;
  }
  document.push_back(
      Paragraph{"Knowledge distillation: the student learns from each expert in turn, and from the "
                "data. A step is one micro-batch."});
  document.push_back(loss_formula(config));
  document.push_back(experts(config, name_model));
}

Table configuration(const RunConfig& config) {
  const OptimizerConfig& optimizer = config.optimizer;
  Table table{{"Parameter", "Value"}, {}};
  table.rows = {
      {"Batch size", format_count(config.batch_size)},
      {"Gradient accumulation", format_count(config.gradient_accumulation)},
      {"Effective batch size", format_count(config.batch_size * config.gradient_accumulation)},
      {"Learning rate", fmt::format("{:g}, {}, {} warm-up updates", optimizer.lr,
                                    name_of(optimizer.schedule), optimizer.warmup_steps)},
      {"Optimizer", describe_optimizer(optimizer)},
      {"Weight decay", fmt::format("{:g}{}", optimizer.weight_decay,
                                   optimizer.decay == DecayScope::all ? "" : ", of matrices")},
      {"Gradient clipping", fmt::format("{:g}", optimizer.max_grad_norm)},
      {"Max sequence length", format_count(config.data.max_seq_len)},
      {"Total steps", format_count(TrainingPlan(config).total_steps())},
      {"Data", fmt::format("{}{}, loss on {}", config.data.shuffle ? "shuffled" : "in order",
                           config.data.packing ? ", packed" : "",
                           config.data.loss_on == LossOn::all ? "all tokens" : "the assistant's")},
      {"Seeds", fmt::format("{} (weights), {} (data)", config.student.seed, config.seed)},
  };
  return table;
}

void add_training(Document& document, const RunRecord& record) {
  add_method(document, record.config,
             [](const ExpertConfig& expert) { return expert.model.string(); });
  add_beginning(document, record);
  document.push_back(Heading{2, "Training configuration"});
  document.push_back(configuration(record.config));
  document.push_back(
      Collapsed{"The whole run file", CodeBlock{"json", record.config.resolved().dump(2)}});
}

}  // namespace gladius::train
