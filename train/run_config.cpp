#include "gladius/train/run_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/quoted.h"
#include "gladius/train/model_paths.h"
#include "gladius/train/run_fields.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr RunFields::Range kPositive{
    .low = 0, .high = kInfinity, .open_low = true, .open_high = true};
constexpr RunFields::Range kNotNegative{.low = 0, .high = kInfinity, .open_high = true};

// The model that a path leads to; what is to be said of that goes to `notes`.
ModelPaths found(const std::string& who, const std::filesystem::path& path,
                 std::vector<std::string>& notes) {
  FoundModel model = find_model(path);
  if (!model.note.empty()) notes.push_back(fmt::format("{}: {}", who, model.note));
  return model.paths;
}

StudentConfig read_student(const RunFields& fields, std::vector<std::string>& notes) {
  StudentConfig student;
  const auto init = fields.path("init"), tokenizer = fields.path("tokenizer");
  if (!fields.has("config") && !init) {
    fields.fail("config", "is missing: the student's config.json, unless \"init\" names a model");
  }
  student.config = find_config(fields.has("config") ? fields.required_path("config") : *init);
  if (init) {
    const ModelPaths paths = found("student.init", *init, notes);
    student.init = paths.weights;
    if (std::filesystem::exists(paths.tokenizer / "tokenizer.json")) {
      student.tokenizer = paths.tokenizer;
    }
  }
  if (tokenizer) student.tokenizer = found("student.tokenizer", *tokenizer, notes).tokenizer;
  student.seed = fields.integer("seed", 0, 0);
  return student;
}

// It heads messages, tables and plots.
std::string read_name(const RunFields& fields, const std::filesystem::path& model) {
  constexpr std::size_t kLongest = 100;
  const std::string name = fields.text("name", shortened(model.filename().string()));
  if (fields.has("name") && (name.size() > kLongest || name != printable(name))) {
    fields.fail("name", fmt::format("is {}; expected at most {} bytes of printable text",
                                    in_quotes(name), kLongest));
  }
  return name;
}

ExpertConfig read_expert(const RunFields& fields, std::vector<std::string>& notes) {
  ExpertConfig expert;
  const std::filesystem::path model = fields.required_path("model");
  expert.name = read_name(fields, model);
  expert.model = found("expert " + expert.name, model, notes).weights;
  expert.steps = fields.integer("steps", 1000, 1, kMaxSteps);
  expert.vocabulary = fields.choice("vocabulary", "same", {"same", "truncate"}) == "same"
                          ? VocabularyMode::same
                          : VocabularyMode::truncate;
  return expert;
}

DataConfig read_data(const RunFields& fields) {
  DataConfig data;
  data.train = fields.paths("train");
  if (data.train.empty()) fields.fail("train", "is missing: the files to train on");
  data.eval = fields.paths("eval");
  data.max_seq_len = fields.integer("max_seq_len", 512, 1, kMaxSeqLen);
  data.packing = fields.boolean("packing", false);
  data.shuffle = fields.boolean("shuffle", false);
  data.loss_on = fields.choice("loss_on", "all", {"all", "assistant"}) == "all" ? LossOn::all
                                                                                : LossOn::assistant;
  data.on_bad_line = fields.choice("on_bad_line", "fail", {"fail", "skip"}) == "fail"
                         ? OnBadLine::fail
                         : OnBadLine::skip;
  return data;
}

TeacherCacheConfig read_teacher_cache(const RunFields& fields) {
  TeacherCacheConfig cache;
  cache.max_gb = fields.number("max_gb", 0, {.low = 0, .high = 1e6});
  if (fields.has("top_k")) cache.top_k = fields.integer("top_k", 1, 1);
  cache.path = fields.path("path");
  if (cache.path && cache.max_gb == 0) {
    fields.fail("path", "is for a cache that keeps something; give teacher_cache.max_gb as well");
  }
  return cache;
}

void read_loss(const RunFields& fields, RunConfig& run) {
  run.temperature = fields.number("temperature", 2, kPositive);
  run.alpha = fields.number("alpha", 0.5, {.low = 0, .high = 1});
  run.reduction = fields.choice("reduction", "mean", {"mean", "batchmean"}) == "mean"
                      ? LossReduction::mean
                      : LossReduction::batchmean;
}

void read_optimizer(const RunFields& fields, RunConfig& run) {
  AdamWOptions& adamw = run.optimizer;
  adamw.lr = fields.number("lr", 1e-4, kNotNegative);
  adamw.weight_decay = fields.number("weight_decay", 0.01, kNotNegative);
  std::tie(adamw.beta1, adamw.beta2) =
      fields.pair("betas", {0.9, 0.999}, {.low = 0, .high = 1, .open_high = true});
  adamw.eps = fields.number("eps", 1e-8, kNotNegative);
  run.max_grad_norm = fields.number("max_grad_norm", 1, kPositive);
  run.schedule = fields.choice("schedule", "constant", {"constant", "linear", "cosine"});
  run.warmup_steps = fields.integer("warmup_steps", 0, 0, kMaxSteps);
}

// A run's length comes from its experts, or from `steps` if it has none.
void read_experts(const RunFields& fields, RunConfig& run) {
  for (const RunFields& expert :
       fields.objects("experts", {"name", "model", "steps", "vocabulary"})) {
    run.experts.push_back(read_expert(expert, run.notes));
  }
  if (!run.experts.empty() && fields.has("steps")) {
    fields.fail("steps", "is for runs without experts; give each expert its own");
  }
  run.steps = fields.integer("steps", 1000, 1, kMaxSteps);
}

void read_evaluation(const RunFields& fields, RunConfig& run) {
  run.eval_every = fields.integer("eval_every", 0, 0);
  run.keep_best = fields.boolean("keep_best", false);
  if (run.eval_every > 0 && run.data.eval.empty()) {
    fields.fail("eval_every", "needs data to evaluate on; give \"data.eval\" as well");
  }
  if (run.keep_best && run.eval_every == 0) {
    fields.fail("keep_best",
                "chooses among the evaluations of a run; give \"eval_every\" (and \"data.eval\") "
                "as well");
  }
}

Json optional_path(const std::optional<std::filesystem::path>& path) {
  return path ? Json(path->string()) : Json(nullptr);
}

// One path as text, several as a list.
Json paths_json(const std::vector<std::filesystem::path>& paths) {
  if (paths.empty()) return nullptr;
  if (paths.size() == 1) return paths[0].string();
  Json list = Json::array();
  for (const auto& path : paths) list.push_back(path.string());
  return list;
}

Json expert_json(const ExpertConfig& expert) {
  return {{"name", expert.name},
          {"model", expert.model.string()},
          {"steps", expert.steps},
          {"vocabulary", expert.vocabulary == VocabularyMode::same ? "same" : "truncate"}};
}

// "/experts/0/steps" -> "experts.0.steps"
std::string dotted(std::string pointer) {
  std::ranges::replace(pointer, '/', '.');
  return pointer.substr(1);
}

}  // namespace

RunConfig RunConfig::load(const std::filesystem::path& file,
                          const std::vector<std::string>& overrides) {
  Json json = read_json_file(file);
  for (const std::string& override_ : overrides) {
    const std::size_t equals = override_.find('=');
    if (equals == std::string::npos) {
      throw ConfigError(fmt::format("--set {}: expected path.to.key=value", shortened(override_)));
    }
    set_by_path(json, override_.substr(0, equals), override_.substr(equals + 1));
  }
  return parse(json, file.string());
}

RunConfig RunConfig::parse(const Json& json, const std::string& file) {
  const RunFields fields(
      json, file, "",
      {"student", "experts", "teacher_cache", "steps", "data", "loss", "optimizer", "batch_size",
       "gradient_accumulation", "activation_checkpointing", "log_every", "checkpoint_every",
       "keep_checkpoints", "eval_every", "keep_best", "max_nonfinite_steps", "check_memory",
       "seed"});
  RunConfig run;
  run.student =
      read_student(fields.object("student", {"config", "init", "tokenizer", "seed"}), run.notes);
  read_experts(fields, run);
  run.data = read_data(fields.object(
      "data", {"train", "eval", "max_seq_len", "packing", "shuffle", "loss_on", "on_bad_line"}));
  run.teacher_cache =
      read_teacher_cache(fields.object("teacher_cache", {"max_gb", "top_k", "path"}));
  read_loss(fields.object("loss", {"temperature", "alpha", "reduction"}), run);
  read_optimizer(fields.object("optimizer", {"lr", "weight_decay", "betas", "eps", "max_grad_norm",
                                             "schedule", "warmup_steps"}),
                 run);
  run.batch_size = fields.integer("batch_size", 1, 1, kMaxBatchSize);
  run.gradient_accumulation =
      fields.integer("gradient_accumulation", 8, 1, kMaxGradientAccumulation);
  run.activation_checkpointing = fields.boolean("activation_checkpointing", false);
  run.log_every = fields.integer("log_every", 10, 1);
  run.checkpoint_every = fields.integer("checkpoint_every", 100, 1);
  run.keep_checkpoints = fields.integer("keep_checkpoints", 2, 1);
  read_evaluation(fields, run);
  run.max_nonfinite_steps = fields.integer("max_nonfinite_steps", 10, 1);
  run.check_memory = fields.boolean("check_memory", true);
  run.seed = fields.integer("seed", 0, 0);
  return run;
}

Json RunConfig::resolved() const {
  Json json;
  json["student"] = {{"config", student.config.string()},
                     {"init", optional_path(student.init)},
                     {"tokenizer", optional_path(student.tokenizer)},
                     {"seed", student.seed}};
  json["experts"] = Json::array();
  for (const ExpertConfig& expert : experts) json["experts"].push_back(expert_json(expert));
  if (experts.empty()) json["steps"] = steps;
  json["data"] = {{"train", paths_json(data.train)},
                  {"eval", paths_json(data.eval)},
                  {"max_seq_len", data.max_seq_len},
                  {"packing", data.packing},
                  {"shuffle", data.shuffle},
                  {"loss_on", data.loss_on == LossOn::all ? "all" : "assistant"},
                  {"on_bad_line", data.on_bad_line == OnBadLine::fail ? "fail" : "skip"}};
  json["teacher_cache"] = {
      {"max_gb", teacher_cache.max_gb},
      {"top_k", teacher_cache.top_k ? Json(*teacher_cache.top_k) : Json(nullptr)},
      {"path", optional_path(teacher_cache.path)}};
  json["loss"] = {{"temperature", temperature},
                  {"alpha", alpha},
                  {"reduction", reduction == LossReduction::mean ? "mean" : "batchmean"}};
  json["optimizer"] = {{"lr", optimizer.lr},
                       {"weight_decay", optimizer.weight_decay},
                       {"betas", {optimizer.beta1, optimizer.beta2}},
                       {"eps", optimizer.eps},
                       {"max_grad_norm", max_grad_norm},
                       {"schedule", schedule},
                       {"warmup_steps", warmup_steps}};
  json["batch_size"] = batch_size;
  json["gradient_accumulation"] = gradient_accumulation;
  json["activation_checkpointing"] = activation_checkpointing;
  json["log_every"] = log_every;
  json["checkpoint_every"] = checkpoint_every;
  json["keep_checkpoints"] = keep_checkpoints;
  json["eval_every"] = eval_every > 0 ? Json(eval_every) : Json(nullptr);
  json["keep_best"] = keep_best;
  json["max_nonfinite_steps"] = max_nonfinite_steps;
  json["check_memory"] = check_memory;
  json["seed"] = seed;
  return json;
}

std::vector<std::string> changed_keys(const Json& before, const Json& after) {
  const Json a = before.flatten(), b = after.flatten();
  std::vector<std::string> keys;
  for (const auto& [key, value] : a.items()) {
    if (b.value(key, Json()) != value) keys.push_back(dotted(key));
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key) && !value.is_null()) keys.push_back(dotted(key));
  }
  return keys;
}

bool is_harmless_change(const std::string& key) {
  constexpr std::string_view kHarmless[] = {
      "activation_checkpointing", "log_every",          "checkpoint_every", "keep_checkpoints",
      "max_nonfinite_steps",      "check_memory",       "data.eval",        "data.on_bad_line",
      "teacher_cache.max_gb",     "teacher_cache.path", "eval_every",       "keep_best"};
  return key.starts_with("data.eval.") || std::ranges::find(kHarmless, key) != std::end(kHarmless);
}

}  // namespace gladius
