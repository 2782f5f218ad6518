#include "gladius/train/loop/validation.h"

#include <fmt/format.h>

#include <cmath>
#include <span>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/data/data_files.h"
#include "gladius/train/run/json_object.h"
#include "gladius/train/run/model_paths.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// Which tokens there are, and which of them count.
Json evaluation_settings(const RunConfig& config) {
  const Json data = config.resolved().at("data");
  return {{"max_seq_len", data.at("max_seq_len")}, {"loss_on", data.at("loss_on")}};
}

// Evaluations with another one are not comparable.
std::string identify(const RunConfig& config, const Json& settings) {
  Json parts = Json::array({settings});
  for (const auto& file : expand_patterns(config.data.eval)) parts.push_back(sha256_file(file));
  const std::string text = parts.dump();
  return sha256(std::as_bytes(std::span(text)));
}

// "cross-entropy 3.2189, perplexity 25.00, 1.2041 bits per byte"
std::string describe_numbers(double cross_entropy, double perplexity,
                             const std::optional<double>& bits_per_byte) {
  return fmt::format("cross-entropy {:.4f}, perplexity {:.2f}{}", cross_entropy, perplexity,
                     bits_per_byte ? fmt::format(", {:.4f} bits per byte", *bits_per_byte) : "");
}

// A line of expert_evaluations.json; those of earlier versions have no bits per byte.
std::string describe_expert(const Json& expert) {
  const Json bits = expert.value("bits_per_byte", Json());
  return fmt::format(
      "expert {}: {}", expert.at("expert").get<std::string>(),
      describe_numbers(expert.at("cross_entropy"), expert.at("perplexity"),
                       bits.is_number() ? std::optional(bits.get<double>()) : std::nullopt));
}

}  // namespace

bool is_evaluation_outdated(const RunConfig& before, const RunConfig& now, const RunPaths& paths) {
  if (now.data.eval.empty()) return std::filesystem::exists(paths.evaluation());
  const bool changed = before.data.eval != now.data.eval;
  const Json recorded = read_optional_json(paths.evaluation());
  if (recorded.is_null()) return true;
  if (!recorded.contains("data")) return changed;  // of an earlier version
  try {
    return recorded.at("data") != identify(now, evaluation_settings(now));
  } catch (const Error&) {
    return changed;  // the data is gone
  }
}

Validation::Validation(const RunConfig& config, std::optional<Dataset> data, const RunPaths& paths,
                       const RunEvents& events)
    : config_(config),
      data_(std::move(data)),
      paths_(paths),
      events_(events),
      settings_(evaluation_settings(config)),
      data_id_(data_ ? identify(config, settings_) : ""),
      best_(config.student, paths.best()),
      experts_(paths.expert_evaluations(), data_id_) {}

bool Validation::due(std::int64_t done, std::int64_t total) const {
  return data_ && is_time(done, total);
}

bool Validation::is_time(std::int64_t done, std::int64_t total) const {
  return done == total || (config_.eval_every > 0 && done % config_.eval_every == 0);
}

std::optional<Evaluation> Validation::evaluate(const LanguageModel& model,
                                               const std::string& what) const {
  events_.evaluating(what);
  return gladius::train::evaluate(model, *data_, events_.stop_requested);
}

Json Validation::describe(const Evaluation& evaluation) const {
  Json json = evaluation.to_json();
  json.update(settings_);
  json["data"] = data_id_;
  return json;
}

void Validation::restore(const std::optional<BestStep>& best, std::int64_t total) {
  const std::string found =
      best_.restore(best, data_id_, [&](std::int64_t step) { return due(step + 1, total); });
  if (config_.keep_best && !found.empty()) events_.warn(found);
}

std::optional<StepEvaluation> Validation::evaluate_student(const LanguageModel& student,
                                                           std::int64_t step) {
  last_ = evaluate(student, "student");
  if (!last_) return {};
  const StepEvaluation result{.cross_entropy = last_->cross_entropy,
                              .perplexity = last_->perplexity,
                              .bits_per_byte = last_->bits_per_byte,
                              .tokens = last_->tokens};
  if (config_.keep_best) {
    Json described{{"step", step}};
    described.update(describe(*last_));
    best_.offer(student, {step, result.cross_entropy, data_id_}, described);
  }
  return result;
}

void Validation::tell(const StepRecord& record) const {
  const StepEvaluation& evaluation = *record.evaluation;
  if (!std::isfinite(evaluation.cross_entropy)) {
    events_.warn(fmt::format("step {}: the validation cross-entropy is not finite", record.step));
  } else if (config_.eval_every > 0) {
    const bool is_best = config_.keep_best && best() && best()->step == record.step;
    events_.info(fmt::format(
        "step {}: validation {}{}", record.step,
        describe_numbers(evaluation.cross_entropy, evaluation.perplexity, evaluation.bits_per_byte),
        is_best ? ", the best so far" : ""));
  }
}

bool Validation::evaluate_expert(const ExpertConfig& expert) {
  const bool comparable = expert.vocabulary == VocabularyMode::same;
  if (!data_ || !comparable || experts_.recall(expert)) return true;
  try {
    const auto model = load_model(find_model(expert.model).paths, {.warn = events_.warn});
    const auto evaluation = evaluate(*model, "expert " + expert.name);
    if (!evaluation) return false;
    if (!std::isfinite(evaluation->perplexity)) throw Error("its perplexity is not finite");
    experts_.add(expert, *evaluation);
    return true;
  } catch (const Error& error) {
    events_.warn(
        fmt::format("expert {}: not evaluated on data.eval: {}", expert.name, error.what()));
    return true;
  }
}

bool Validation::finish(const LanguageModel& student) {
  if (!data_) {
    remove_file(paths_.evaluation());
    return true;
  }
  if (!last_) last_ = evaluate(student, "student");
  if (!last_) return false;
  write_text_file(paths_.evaluation(), describe(*last_).dump(2) + "\n");
  std::string text = fmt::format(
      "evaluation: {} over {} tokens (max_seq_len {}, loss_on {})",
      describe_numbers(last_->cross_entropy, last_->perplexity, last_->bits_per_byte),
      last_->tokens, config_.data.max_seq_len, settings_.at("loss_on").get<std::string>());
  for (const Json& expert : experts_.experts()) {
    text += "; " + describe_expert(expert);
  }
  events_.info(text);
  return true;
}

}  // namespace gladius::train
