#include "gladius/train/run/run_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/run/model_paths.h"
#include "gladius/train/run/run_fields.h"
#include "gladius/train/run/run_keys.h"
#include "gladius/train/run/training_plan.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// The model that a path leads to; what is to be said of that goes to `notes`.
ModelPaths found(const std::string& who, const std::filesystem::path& path,
                 std::vector<std::string>& notes) {
  FoundModel model = find_model(path);
  if (!model.note.empty()) notes.push_back(fmt::format("{}: {}", who, model.note));
  return model.paths;
}

// Finds the files that the paths lead to.
void resolve_student(const RunFields& fields, RunConfig& run) {
  StudentConfig& student = run.student;
  if (student.config.empty() && !student.init) {
    fields.fail("config", "is missing: the student's config.json, unless \"init\" names a model");
  }
  student.config = find_config(student.config.empty() ? *student.init : student.config);
  const auto tokenizer = student.tokenizer;
  if (student.init) {
    const ModelPaths paths = found("student.init", *student.init, run.notes);
    student.init = paths.weights;
    if (text::has_tokenizer(paths.tokenizer)) student.tokenizer = paths.tokenizer;
  }
  if (student.init && student.init_from) {
    fields.fail("init_from",
                "begins with layers of a model, and \"init\" with all of one; give one");
  }
  if (student.init_from) {
    fs::path& model = student.init_from->model;
    model = found("student.init_from", model, run.notes).weights;
  }
  if (tokenizer) student.tokenizer = found("student.tokenizer", *tokenizer, run.notes).tokenizer;
}

// It heads messages, tables and plots.
void check_name(const RunFields& fields, const std::string& name) {
  constexpr std::size_t kLongest = 100;
  if (name.size() > kLongest || name != printable(name)) {
    fields.fail("name", fmt::format("is {}; expected at most {} bytes of printable text",
                                    in_quotes(name), kLongest));
  }
}

void resolve_expert(const RunFields& fields, ExpertConfig& expert,
                    std::vector<std::string>& notes) {
  if (fields.has("name")) {
    check_name(fields, expert.name);
  } else {
    expert.name = shortened(expert.model.filename().string());
  }
  expert.model = found("expert " + expert.name, expert.model, notes).weights;
}

// A run's length comes from its experts, or from `steps` if it has none.
void resolve_experts(const RunFields& fields, RunConfig& run) {
  const std::vector<RunFields> experts = fields.objects("experts");
  for (std::size_t i = 0; i < experts.size(); ++i) {
    resolve_expert(experts[i], run.experts[i], run.notes);
  }
  if (!run.experts.empty() && fields.has("steps")) {
    fields.fail("steps", "is for runs without experts; give each expert its own");
  }
}

void check_teacher_cache(const RunFields& fields, const TeacherCacheConfig& cache) {
  if (cache.path && cache.max_gb == 0) {
    fields.fail("path", "is for a cache that keeps something; give teacher_cache.max_gb as well");
  }
  if (cache.samples && cache.top_k) {
    fields.fail("samples",
                "is another way to keep a part of the distribution than \"top_k\"; give one");
  }
}

// What is left of a distribution must be what the loss compares.
void check_cross_loss(const RunFields& fields, const RunConfig& run) {
  if (run.loss.cross == CrossLoss::alm && run.teacher_cache.top_k) {
    fields.fail("cross",
                "is \"alm\", which needs the probability of the text's own tokens, and "
                "teacher_cache.top_k drops it where they are not among the largest; give "
                "teacher_cache.samples, which keeps it, or neither");
  }
  if (run.loss.cross == CrossLoss::uld && run.teacher_cache.samples) {
    fields.fail("cross",
                "is \"uld\", which compares sorted probabilities, and a few draws "
                "(teacher_cache.samples) sorted are none of the distribution's; give "
                "teacher_cache.top_k, or neither");
  }
}

// Sums by sequences are of a micro-batch.
void settle_normalization(const RunFields& fields, RunConfig& run) {
  run.says_normalization = fields.has("normalization");
  if (run.says_normalization || run.loss.reduction != LossReduction::batchmean) return;
  run.loss.normalization = LossNormalization::micro_batch;
}

void check_divergence(const RunFields& fields, const RunConfig& run) {
  if (run.loss.divergence != Divergence::forward_kl && run.teacher_cache.samples) {
    fields.fail("divergence",
                fmt::format("is \"{}\", of which a few draws (teacher_cache.samples) say nothing "
                            "true in the mean, as they do of \"forward_kl\"; give "
                            "teacher_cache.top_k, or neither",
                            name_of(run.loss.divergence)));
  }
  if (run.loss.normalization == LossNormalization::tokens &&
      run.loss.reduction == LossReduction::batchmean) {
    fields.fail("normalization",
                "is \"tokens\", which divides by tokens, and \"loss.reduction\" is \"batchmean\", "
                "which divides by sequences; give one");
  }
}

void check_on_policy(const RunFields& fields, const RunConfig& run) {
  const std::vector<RunFields> experts = fields.objects("experts");
  for (std::size_t i = 0; i < experts.size(); ++i) {
    if (run.experts[i].on_policy == 0 || run.loss.alpha > 0) continue;
    experts[i].fail(
        "on_policy",
        "has the student's answers graded by the divergence, and \"loss.alpha\" 0 gives "
        "it no share in the loss; give one of them");
  }
}

void check_evaluation(const RunFields& fields, const RunConfig& run) {
  if (run.eval_every > 0 && run.data.eval.empty() && !run.eval_suite) {
    fields.fail("eval_every", "needs data to evaluate on; give \"data.eval\" as well");
  }
  if (run.keep_best && (run.eval_every == 0 || run.data.eval.empty())) {
    fields.fail("keep_best",
                "chooses among the evaluations of a run; give \"eval_every\" (and \"data.eval\") "
                "as well");
  }
}

void check_samples(const RunFields& fields, const RunConfig& run) {
  if (!run.sample_prompts.empty() && run.sample_every == 0) {
    fields.fail("sample_prompts",
                "says what the student is asked for samples; give \"sample_every\" as well");
  }
}

void check_cluster(const RunFields& fields, const RunConfig& run) {
  if (run.cluster.shard_optimizer && run.optimizer.name == OptimizerName::muon) {
    fields.fail("shard_optimizer",
                "divides weights element by element, and \"optimizer.name\" \"muon\" updates whole "
                "matrices; give one of them");
  }
  if (run.cluster.local_updates == 0) return;
  if (run.cluster.shard_optimizer) {
    fields.fail(
        "shard_optimizer",
        "has each rank update a share of the weights, and with \"local_updates\" it updates "
        "all of its own; give one of them");
  }
  const std::int64_t updates = TrainingPlan(run).total_updates();
  if (run.cluster.local_updates > updates) {
    fields.fail("local_updates",
                fmt::format("is {}, and the whole run has {} updates; give at most that many",
                            run.cluster.local_updates, updates));
  }
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

RunConfig RunConfig::load_recorded(const fs::path& file) {
  return parse_recorded(read_json_file(file), file.string());
}

RunConfig RunConfig::parse_recorded(Json json, const std::string& file) {
  if (json.is_object() && !json.contains("loss")) json["loss"] = Json::object();
  if (json.is_object() && json["loss"].is_object() && !json["loss"].contains("normalization")) {
    json["loss"]["normalization"] = name_of(LossNormalization::micro_batch);
  }
  return parse(json, file);
}

RunConfig RunConfig::parse(const Json& json, const std::string& file) {
  const RunFields fields(json, file, "");
  RunConfig run;
  read_run_keys(fields, run);
  resolve_student(fields.object("student"), run);
  resolve_experts(fields, run);
  settle_normalization(fields.object("loss"), run);
  check_teacher_cache(fields.object("teacher_cache"), run.teacher_cache);
  check_cross_loss(fields.object("loss"), run);
  check_divergence(fields.object("loss"), run);
  check_on_policy(fields, run);
  check_evaluation(fields, run);
  check_samples(fields, run);
  check_cluster(fields.object("cluster"), run);
  return run;
}

Json RunConfig::resolved() const {
  Json json = write_run_keys(*this);
  if (!experts.empty()) json.erase("steps");
  return json;
}

bool student_writes(const RunConfig& config) {
  return std::ranges::any_of(config.experts,
                             [](const ExpertConfig& expert) { return expert.on_policy > 0; });
}

}  // namespace gladius::train
