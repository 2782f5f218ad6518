// The run file of `distill`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gladius/autograd/ops/losses.h"
#include "gladius/optim/lr_schedule.h"
#include "gladius/tensor/base/enum_names.h"
#include "gladius/train/data/example_options.h"

namespace gladius::train {

/// How a teacher's and the student's vocabularies are compared.
enum class VocabularyMode { automatic, same, align, truncate };

/// How an expert of another vocabulary (VocabularyMode::align) is compared with the student.
enum class CrossLoss { project, alm, uld };
enum class PrecisionChoice { f32, bf16, automatic };

/// Which positions the divergence counts: all, or those that have a label.
enum class LossTokens { all, labelled };

/// What the terms of an update's loss are divided by: those of each micro-batch, and their number;
/// or all of the update's.
enum class LossNormalization { micro_batch, tokens };

enum class OptimizerName { adamw, muon };

/// How gradients travel between ranks.
enum class ClusterCompression { none, bf16 };

/// Which weights decay: all, or all but norms and biases.
enum class DecayScope { all, matrices };

}  // namespace gladius::train

namespace gladius {

template <>
inline constexpr EnumName<train::VocabularyMode> kEnumNames<train::VocabularyMode>[] = {
    {train::VocabularyMode::automatic, "auto"},
    {train::VocabularyMode::same, "same"},
    {train::VocabularyMode::align, "align"},
    {train::VocabularyMode::truncate, "truncate"}};

template <>
inline constexpr EnumName<LossReduction> kEnumNames<LossReduction>[] = {
    {LossReduction::mean, "mean"}, {LossReduction::batchmean, "batchmean"}};

template <>
inline constexpr EnumName<Divergence> kEnumNames<Divergence>[] = {
    {Divergence::forward_kl, "forward_kl"},
    {Divergence::reverse_kl, "reverse_kl"},
    {Divergence::jsd, "jsd"},
    {Divergence::skew_kl, "skew_kl"}};

template <>
inline constexpr EnumName<train::LossTokens> kEnumNames<train::LossTokens>[] = {
    {train::LossTokens::all, "all"}, {train::LossTokens::labelled, "labelled"}};

template <>
inline constexpr EnumName<train::LossNormalization> kEnumNames<train::LossNormalization>[] = {
    {train::LossNormalization::micro_batch, "micro_batch"},
    {train::LossNormalization::tokens, "tokens"}};

template <>
inline constexpr EnumName<train::CrossLoss> kEnumNames<train::CrossLoss>[] = {
    {train::CrossLoss::project, "project"},
    {train::CrossLoss::alm, "alm"},
    {train::CrossLoss::uld, "uld"}};

template <>
inline constexpr EnumName<train::PrecisionChoice> kEnumNames<train::PrecisionChoice>[] = {
    {train::PrecisionChoice::f32, "f32"},
    {train::PrecisionChoice::bf16, "bf16"},
    {train::PrecisionChoice::automatic, "auto"}};

template <>
inline constexpr EnumName<ScheduleKind> kEnumNames<ScheduleKind>[] = {
    {ScheduleKind::constant, "constant"},
    {ScheduleKind::linear, "linear"},
    {ScheduleKind::cosine, "cosine"}};

template <>
inline constexpr EnumName<train::OptimizerName> kEnumNames<train::OptimizerName>[] = {
    {train::OptimizerName::adamw, "adamw"}, {train::OptimizerName::muon, "muon"}};

template <>
inline constexpr EnumName<train::ClusterCompression> kEnumNames<train::ClusterCompression>[] = {
    {train::ClusterCompression::none, "none"}, {train::ClusterCompression::bf16, "bf16"}};

template <>
inline constexpr EnumName<train::DecayScope> kEnumNames<train::DecayScope>[] = {
    {train::DecayScope::all, "all"}, {train::DecayScope::matrices, "matrices"}};

}  // namespace gladius

namespace gladius::train {

/// The largest counts that a run file may ask for: the tokens of an update, batch_size *
/// gradient_accumulation * max_seq_len, stay below 2^63.
inline constexpr std::int64_t kMaxBatchSize = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxGradientAccumulation = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxSeqLen = std::int64_t{1} << 22;
inline constexpr std::int64_t kMaxSamples = std::int64_t{1} << 16;
inline constexpr std::size_t kMaxSamplePrompts = 32;
inline constexpr std::int64_t kMaxSteps = 1'000'000'000'000;  // of an expert, and of the warm-up

/// Another model whose layers a student begins from; see init_from.h.
struct InitFromConfig {
  std::filesystem::path model;
  std::vector<std::int64_t> layers;  // of it, one for each of the student's; none: evenly spaced
  bool grow = false;                 // the student computes what the smaller model does; growth.h
};

/// The model that learns.
struct StudentConfig {
  std::filesystem::path config;                    // config.json or a directory that has one
  std::optional<std::filesystem::path> init;       // model directory to start from; none: fresh
  std::optional<InitFromConfig> init_from;         // fresh but for what it has of this
  std::optional<std::filesystem::path> tokenizer;  // directory; data given as ids needs none
  std::int64_t seed = 0;                           // of fresh weights
};

/// A model to learn from.
struct ExpertConfig {
  std::string name;
  std::filesystem::path model;
  std::int64_t steps = 1000;
  VocabularyMode vocabulary = VocabularyMode::automatic;
  double on_policy = 0;  // share of the sequences that the student finishes itself; see on_policy.h
};

struct DataConfig {
  std::vector<std::filesystem::path> train;  // files, or patterns with * and ?
  std::vector<std::filesystem::path> eval;   // may be none
  std::int64_t max_seq_len = 512;
  bool packing = false;
  bool shuffle = false;
  LossOn loss_on = LossOn::all;
  OnBadLine on_bad_line = OnBadLine::fail;
};

/// What is kept of the experts' outputs, and how much of them counts.
struct TeacherCacheConfig {
  double max_gb = 0;                          // of each expert, in 10^9 bytes; 0: nothing is kept
  std::optional<std::int64_t> top_k;          // largest logits of a token that count; none: all
  std::optional<std::int64_t> samples;        // draws a token that stand for its distribution
  std::optional<std::filesystem::path> path;  // directory; none: the run's own
};

/// loss = alpha * KL * temperature^2 + (1 - alpha) * CE, or another divergence in KL's place.
struct LossConfig {
  double temperature = 2;
  double alpha = 0.5;
  Divergence divergence = Divergence::forward_kl;
  double beta = 0.5;  // of jsd and skew_kl
  LossTokens tokens = LossTokens::all;
  LossNormalization normalization = LossNormalization::tokens;
  CrossLoss cross = CrossLoss::project;
  LossReduction reduction = LossReduction::mean;  // of the divergence
};

/// What becomes of a gradient.
struct OptimizerConfig {
  OptimizerName name = OptimizerName::adamw;
  double lr = 1e-4;
  double weight_decay = 0.01;
  DecayScope decay = DecayScope::all;
  std::pair<double, double> betas{0.9, 0.999};  // AdamW's
  double eps = 1e-8;
  double momentum = 0.95;  // Muon's
  double max_grad_norm = 1;
  ScheduleKind schedule = ScheduleKind::constant;
  std::int64_t warmup_steps = 0;  // updates
};

/// How the ranks of a run on several machines work together.
struct ClusterConfig {
  bool shard_optimizer = false;  // each rank has a part of AdamW's state
  ClusterCompression compress = ClusterCompression::none;
  std::int64_t local_updates = 0;  // that ranks make on their own between synchronisations; 0: none
  double outer_lr = 0.7;           // of what a synchronisation makes of them
  double outer_momentum = 0.9;     // the same
  double timeout_s = 30;           // a rank of which nothing is heard for so long is given up
};

/// What the model's card (README.md of model/) says that the run cannot know.
struct CardConfig {
  std::string license;   // the hub's identifier; "": not known
  std::string language;  // codes with commas between them; "": not known
};

/// Everything that a run is made of; what the file leaves out has the model card's values. Each
/// member of these structures is a key, described in run_keys.cpp.
struct RunConfig {
  StudentConfig student;
  std::vector<ExpertConfig> experts;  // none: cross-entropy alone, for `steps`
  std::int64_t steps = 1000;
  DataConfig data;
  TeacherCacheConfig teacher_cache;
  LossConfig loss;
  OptimizerConfig optimizer;
  std::int64_t batch_size = 1;
  std::int64_t gradient_accumulation = 8;
  PrecisionChoice precision = PrecisionChoice::f32;  // of products; precision_choice.h
  bool activation_checkpointing = false;
  std::int64_t log_every = 10;
  std::int64_t checkpoint_every = 100;
  std::int64_t keep_checkpoints = 2;
  std::int64_t eval_every = 0;  // steps between evaluations on data.eval; 0: at the end only
  std::optional<std::filesystem::path> eval_suite;  // asked when data.eval is; none: no suite
  std::int64_t sample_every = 0;                    // steps between samples of the student; 0: none
  std::vector<std::string> sample_prompts;          // none: the first questions of the data
  bool keep_best = false;                 // the student of the best evaluation stays in best/
  std::int64_t max_nonfinite_steps = 10;  // updates skipped in a row after which the run stops
  bool check_memory = true;               // refuse to start what does not fit
  std::int64_t seed = 0;                  // of the data's order
  ClusterConfig cluster;
  CardConfig card;
  std::vector<std::string> notes;   // where models were found, if not where the paths say
  bool says_normalization = false;  // whether the file says loss.normalization

  /// Reads a run file, after the overrides ("loss.alpha=0.3"; see set_by_path). IoError,
  /// FormatError (not JSON), or ConfigError naming the file and the key's path.
  static RunConfig load(const std::filesystem::path& file,
                        const std::vector<std::string>& overrides = {});
  static RunConfig parse(const nlohmann::ordered_json& json, const std::string& file);

  /// What resolved() wrote of a run, perhaps in an earlier version: a key that it does not have is
  /// as it was then (loss.normalization micro_batch).
  static RunConfig load_recorded(const std::filesystem::path& file);
  static RunConfig parse_recorded(nlohmann::ordered_json json, const std::string& file);

  /// The run file with every default filled in and absolute paths: what run.json holds.
  nlohmann::ordered_json resolved() const;
};

/// Whether an expert has the student write answers of its own.
bool student_writes(const RunConfig& config);

}  // namespace gladius::train
