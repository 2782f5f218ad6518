#include "gladius/train/run/run_keys.h"

#include <algorithm>

#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_key.h"

namespace gladius::train {
namespace {

using namespace run_key;

constexpr std::pair<std::int64_t, std::int64_t> kCount{0, RunFields::kLargestWhole},
    kFromOne{1, RunFields::kLargestWhole};

const RunKeys<InitFromConfig>& init_from_keys() {
  using C = InitFromConfig;
  static const RunKeys<C> keys{
      required(path("model", &C::model,
                    "the model whose tensors the student begins with where their shapes are the "
                    "same, named like any model; a run that resumes from a checkpoint does not "
                    "need it")),
      integers("layers", &C::layers, {-1, RunFields::kLargestWhole},
               "for each of the student's layers the one of the model that it begins with, "
               "numbered from 0, and with `grow` -1 for one that adds nothing at first; null: "
               "evenly spaced, the first and the last among them (`run.json` says which)"),
      boolean("grow", &C::grow,
              "the student, which is larger in every size, begins with what the whole model says "
              "(\"A student that grows from a smaller model\")"),
  };
  return keys;
}

const RunKeys<StudentConfig>& student_keys() {
  using C = StudentConfig;
  static const RunKeys<C> keys{
      path("config", &C::config,
           "the student's config.json, or a directory that has one; null where `student.init` has "
           "one"),
      path("init", &C::init,
           "a model to start from, named like any model; null: fresh weights from `student.seed`"),
      section("init_from", &C::init_from,
              "layers of another model to begin with (\"A student from a teacher's layers\"); what "
              "does not fit has fresh weights; null: none",
              init_from_keys()),
      path("tokenizer", &C::tokenizer,
           "a directory with tokenizer.json; null: that of `student.init`, or none, which data "
           "given as ids does not need"),
      integer("seed", &C::seed, kCount, "of fresh weights"),
  };
  return keys;
}

const RunKeys<ExpertConfig>& expert_keys() {
  using C = ExpertConfig;
  static const RunKeys<C> keys{
      text("name", &C::name,
           "what messages and reports call it: at most 100 bytes of printable text; null: the name "
           "of its directory"),
      required(path("model", &C::model, "the teacher, named like any model")),
      integer("steps", &C::steps, {1, kMaxSteps}, "micro-batches that it teaches",
              OnResume::length),
      choice("vocabulary", &C::vocabulary,
             "`auto`: `same` if the tokenizers are, else `align`; `run.json` says which. `same`: "
             "the tokenizers must be equal; models of different sizes are compared over the "
             "tokenizer's "
             "entries. `align`: the teacher reads the same texts "
             "through its own tokenizer and chat template, and its distributions are projected "
             "onto the student's vocabulary. `truncate`: both are compared over the first entries "
             "by their ids, renormalised; a warning says how few of them mean the same text"),
      number("on_policy", &C::on_policy, {.low = 0, .high = 1},
             "the share of the conversations of which the student writes the last answer itself, "
             "which the teacher then grades (\"What the student writes itself\")"),
  };
  return keys;
}

const RunKeys<DataConfig>& data_keys() {
  using C = DataConfig;
  static const RunKeys<C> keys{
      required(paths("train", &C::train,
                     "the files to train on, .jsonl (`text`, `messages` or `input_ids` and "
                     "`labels`, one object a line) or .txt, cut into pieces; `*` and `?` match "
                     "names")),
      paths("eval", &C::eval, "the files to evaluate on", OnResume::allowed),
      integer("max_seq_len", &C::max_seq_len, {1, kMaxSeqLen},
              "longer examples are cut, and counted; at most what the models have positions for"),
      boolean("packing", &C::packing,
              "several examples in one sequence of up to `data.max_seq_len` tokens; none sees "
              "another"),
      boolean("shuffle", &C::shuffle, "a new order each epoch, from `seed`"),
      choice("loss_on", &C::loss_on, "`assistant`: only the assistant's tokens have labels"),
      choice("on_bad_line", &C::on_bad_line,
             "`skip`: lines that are no examples are skipped, and counted", OnResume::allowed),
  };
  return keys;
}

const RunKeys<TeacherCacheConfig>& teacher_cache_keys() {
  using C = TeacherCacheConfig;
  static const RunKeys<C> keys{
      number("max_gb", &C::max_gb, {.low = 0, .high = 1e6},
             "keep what each expert says of each example, up to so many GB (10^9 bytes) of disk an "
             "expert; 0: keep nothing",
             OnResume::allowed),
      integer("top_k", &C::top_k, kFromOne,
              "only the K largest logits of a token count; null: all"),
      integer("samples", &C::samples, {1, kMaxSamples},
              "so many tokens drawn from the softened distribution, by `seed`, stand for it; null: "
              "all of it counts"),
      path("path", &C::path,
           "the cache's directory, outside of all that the run reads; null: teacher-cache/ in the "
           "run's, which is removed when the run is complete",
           OnResume::allowed),
  };
  return keys;
}

const RunKeys<LossConfig>& loss_keys() {
  using C = LossConfig;
  static const RunKeys<C> keys{
      number("temperature", &C::temperature, kPositive,
             "T in loss = alpha KL T^2 + (1 - alpha) CE"),
      number("alpha", &C::alpha, {.low = 0, .high = 1}, "the share of the divergence in the loss"),
      choice(
          "divergence", &C::divergence,
          "what takes the place of KL. `forward_kl`: KL(teacher, student). `reverse_kl`: "
          "KL(student, teacher). `jsd`: the generalised Jensen-Shannon divergence. `skew_kl`: KL "
          "of the teacher to a mixture of both"),
      number("beta", &C::beta, {.low = 0, .high = 1, .open_low = true, .open_high = true},
             "the teacher's share in the mixture of `jsd` and `skew_kl`"),
      choice("tokens", &C::tokens,
             "the positions that the divergence counts; `labelled`: those that have a label"),
      choice("normalization", &C::normalization,
             "`micro_batch`: an update has the mean of its micro-batches' losses, each a mean of "
             "its own. `tokens`: its cross-entropy is the mean over all its tokens with a label, "
             "its divergence over all that it counts. Left out: `tokens`, with \"loss.reduction\" "
             "`batchmean` `micro_batch`, and on `--resume` what the run began with"),
      choice("cross", &C::cross,
             "what takes the place of KL for experts with another vocabulary (`align`). `project`: "
             "KL of the teacher's distributions, projected onto the student's vocabulary. `alm`: "
             "approximate likelihood matching of the pieces of text between shared borders. "
             "`uld`: the difference of the sorted probabilities at shared borders"),
      choice("reduction", &C::reduction,
             "of the divergence: `mean` over the tokens (with `alm` the pieces, with `uld` the "
             "shared borders), `batchmean` the sum by the number of sequences (the model card's)"),
  };
  return keys;
}

const RunKeys<OptimizerConfig>& optimizer_keys() {
  using C = OptimizerConfig;
  static const RunKeys<C> keys{
      choice("name", &C::name,
             "`muon`: Muon for the matrices of the layers, AdamW for the rest (embeddings, head, "
             "norms, biases)"),
      number("lr", &C::lr, kNotNegative,
             "the learning rate once the warm-up is over, before the schedule lowers it"),
      number("weight_decay", &C::weight_decay, kNotNegative,
             "decoupled: each update also takes lr * weight_decay of a weight off it"),
      choice("decay", &C::decay, "which weights decay; `matrices`: norms and biases do not"),
      numbers("betas", &C::betas, {.low = 0, .high = 1, .open_high = true},
              "AdamW's rates of the running means of the gradient and of its square"),
      number("eps", &C::eps, kNotNegative, "added to the root of AdamW's mean square"),
      number("momentum", &C::momentum, {.low = 0, .high = 1, .open_high = true},
             "Muon's rate of the running mean of the gradient"),
      number("max_grad_norm", &C::max_grad_norm, kPositive,
             "gradients with a larger norm, over all weights, are scaled down to it"),
      choice("schedule", &C::schedule,
             "the learning rate after the warm-up: stays, or falls to 0 at the run's end"),
      integer("warmup_steps", &C::warmup_steps, {0, kMaxSteps},
              "updates over which the learning rate rises from 0"),
  };
  return keys;
}

const RunKeys<CardConfig>& card_keys() {
  using C = CardConfig;
  static const RunKeys<C> keys{
      null_for("", text("license", &C::license,
                        "the license of the trained model, by the hub's identifier "
                        "(`apache-2.0`), for the model's card (publishing.md); null: the card "
                        "says `unknown`",
                        OnResume::allowed)),
      null_for("", text("language", &C::language,
                        "the languages that the model is for, as codes with commas between them "
                        "(`en, de`), for its card; null: it names none",
                        OnResume::allowed)),
  };
  return keys;
}

const RunKeys<ClusterConfig>& cluster_keys() {
  using C = ClusterConfig;
  static const RunKeys<C> keys{
      boolean(
          "shard_optimizer", &C::shard_optimizer,
          "of a run on several machines (several-machines.md): each rank has AdamW's means of its "
          "own share of the weights alone and updates those; the same results",
          OnResume::allowed),
      choice(
          "compress", &C::compress,
          "how gradients travel between ranks, and with `local_updates` what is averaged; `bf16`: "
          "in half the bytes, and what rounding takes off gradients or weights is added to the "
          "next ones"),
      integer("local_updates", &C::local_updates, {0, kMaxSteps},
              "updates that each rank makes of its own micro-batches alone before the ranks' "
              "weights are averaged (DiLoCo, for slow networks: several-machines.md); 0: every "
              "update is of all micro-batches"),
      number("outer_lr", &C::outer_lr, kPositive,
             "with `local_updates`: how much of the mean of the ranks' changes is taken"),
      number("outer_momentum", &C::outer_momentum, {.low = 0, .high = 1, .open_high = true},
             "with `local_updates`: the rate of Nesterov's momentum of these means"),
      number(
          "timeout_s", &C::timeout_s, {.low = 1, .high = 1e6},
          "the seconds after which a rank that nothing is heard of is given up, and the run ends",
          OnResume::allowed),
  };
  return keys;
}

const RunKeys<RunConfig>& run_keys() {
  using C = RunConfig;
  static const RunKeys<C> keys{
      section("student", &C::student, student_keys()),
      list("experts", &C::experts,
           "the teachers, one after another; none: cross-entropy alone, for `steps`",
           expert_keys()),
      integer("steps", &C::steps, {1, kMaxSteps}, "micro-batches of a run without experts",
              OnResume::length),
      section("data", &C::data, data_keys()),
      section("teacher_cache", &C::teacher_cache, teacher_cache_keys()),
      section("loss", &C::loss, loss_keys()),
      section("optimizer", &C::optimizer, optimizer_keys()),
      integer("batch_size", &C::batch_size, {1, kMaxBatchSize},
              "sequences of a step, which is one micro-batch"),
      integer("gradient_accumulation", &C::gradient_accumulation, {1, kMaxGradientAccumulation},
              "steps of a group, whose mean gradient makes an update"),
      choice("precision", &C::precision,
             "what products, attention and the teacher compute with. `bf16`: operands and kept "
             "activations are rounded to bfloat16, sums, weights and the optimizer are float32. "
             "`auto`: `bf16` if this processor computes it at least 1.3 times as fast, else `f32`; "
             "`run.json` says which, and --resume keeps it"),
      boolean("activation_checkpointing", &C::activation_checkpointing,
              "keep only what enters each layer and compute the rest again for the backward pass: "
              "less memory, about a third more time, the same results",
              OnResume::allowed),
      integer("log_every", &C::log_every, kFromOne, "steps between rows of the progress table",
              OnResume::allowed),
      integer("checkpoint_every", &C::checkpoint_every, kFromOne, "steps between checkpoints",
              OnResume::allowed),
      integer("keep_checkpoints", &C::keep_checkpoints, kFromOne, "how many checkpoints stay",
              OnResume::allowed),
      null_for(0, integer("eval_every", &C::eval_every, kCount,
                          "evaluate the student on `data.eval` and `eval_suite` every so many "
                          "steps; null or 0: "
                          "at the end only",
                          OnResume::allowed)),
      path("eval_suite", &C::eval_suite,
           "a suite of cases (evaluation.md) that the student answers every `eval_every` steps and "
           "at the end; null: none"),
      null_for(0, integer("sample_every", &C::sample_every, kCount,
                          "every so many steps and at the end the student answers "
                          "`sample_prompts`, for samples.jsonl and the live page; null or 0: never",
                          OnResume::allowed)),
      texts("sample_prompts", &C::sample_prompts, kMaxSamplePrompts,
            "what a user asks the student then; null: what the first chats of `data.eval` (else of "
            "`data.train`) ask",
            OnResume::allowed),
      boolean("keep_best", &C::keep_best,
              "keep the student of the lowest cross-entropy on `data.eval` in best/",
              OnResume::allowed),
      integer("max_nonfinite_steps", &C::max_nonfinite_steps, kFromOne,
              "after so many updates skipped in a row the run stops with a snapshot in nonfinite/",
              OnResume::allowed),
      boolean("check_memory", &C::check_memory,
              "refuse to start a run that does not fit the memory; false: try all the same",
              OnResume::allowed),
      integer("seed", &C::seed, kCount, "of the data's order, and of `teacher_cache.samples`"),
      section("cluster", &C::cluster, cluster_keys()),
      section("card", &C::card, card_keys()),
  };
  return keys;
}

// "experts.0.steps" -> "experts.N.steps"
std::string without_indices(const std::string& path) {
  std::string out;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    const bool index = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    out += (out.empty() ? "" : ".") + (index ? "N" : part);
    begin = end + 1;
  }
  return out;
}

// What --resume makes of a change; empty where it is refused.
const char* in_words(OnResume rule) {
  switch (rule) {
    case OnResume::allowed:
      return "--resume may change it";
    case OnResume::length:
      return "--resume may change it if the steps so far stay the same";
    case OnResume::refused:
      break;
  }
  return "";
}

}  // namespace

std::vector<RunKeyDescription> describe_run_keys() { return run_keys().describe(); }

OnResume on_resume(const std::string& path) {
  static const std::vector<RunKeyDescription> keys = describe_run_keys();
  const std::string place = without_indices(path);
  const RunKeyDescription* nearest = nullptr;  // the key itself, or the longest that it lies in
  for (const RunKeyDescription& key : keys) {
    const bool fits = place == key.path || place.starts_with(key.path + ".");
    if (fits && (!nearest || key.path.size() > nearest->path.size())) nearest = &key;
  }
  return nearest ? nearest->on_resume : OnResume::refused;
}

std::string run_keys_text() {
  std::string text;
  for (const RunKeyDescription& key : describe_run_keys()) {
    const std::string rule = in_words(key.on_resume);
    text += fmt::format("{}\n    {}; {}{}{}\n    {}\n", key.path, key.expects,
                        key.default_value == kRequired ? "" : "default ", key.default_value,
                        rule.empty() ? "" : "; " + rule, key.meaning);
  }
  return text;
}

std::string run_keys_markdown() {
  std::string table = "| key | takes | default | is |\n|---|---|---|---|\n";
  for (const RunKeyDescription& key : describe_run_keys()) {
    const std::string rule = in_words(key.on_resume);
    table += fmt::format("| `{}` | {} | {} | {}{} |\n", key.path, key.expects, key.default_value,
                         key.meaning, rule.empty() ? "" : ". " + rule);
  }
  return table;
}

void read_run_keys(const RunFields& fields, RunConfig& run) { run_keys().read(fields, run); }

nlohmann::ordered_json write_run_keys(const RunConfig& run) { return run_keys().write(run); }

}  // namespace gladius::train
