// What a run records of each step: metrics.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gladius/tensor/base/append_file.h"
#include "gladius/tensor/base/sha256.h"

namespace gladius::train {

/// How the student does on data that it does not learn from (data.eval), after a step's update.
struct StepEvaluation {
  double cross_entropy = 0;                  // mean over the tokens that have a label, in nats
  double perplexity = 0;                     // exp of it
  std::optional<double> bits_per_byte = {};  // of the text; nothing where that is not known
  std::int64_t tokens = 0;                   // that have a label
};

/// How many cases of a suite (eval_suite) it answers rightly then.
struct StepSuite {
  std::int64_t cases = 0, parsed = 0;
  std::int64_t calls = 0, name_right = 0, arguments_right = 0;  // of the cases that expect a call
  std::int64_t all_right = 0;
};

/// "12 of 23 all right", with the calls' names and arguments where there are such cases.
std::string describe(const StepSuite& suite);

/// The losses that StepRecord::loss_window_mean is a mean of, at most.
inline constexpr std::size_t kLossWindow = 100;

/// What the student has written itself of a step's micro-batch (on_policy.h).
struct StepOnPolicy {
  double share = 0;                         // of the micro-batch's sequences
  std::optional<double> mean_tokens = {};   // of an answer; nothing of none
  double seconds = 0;                       // in which the update's answers were generated
  std::optional<double> tokens_per_s = {};  // of that; nothing where it was an earlier step
};

/// The ranks of a run on several machines.
struct StepRanks {
  std::int64_t count = 0;
  /// The mean share of the last update's time in which they waited, for each other and for
  /// messages; nothing before the first.
  std::optional<double> waiting = {};
};

/// One step. What is not there, or not finite, is null in the file.
struct StepRecord {
  std::int64_t step = 0;
  std::optional<std::string> expert;  // none: cross-entropy training
  double loss = 0;
  double loss_running_mean = 0;  // of the finite losses since step 0 of the run
  double loss_window_mean = 0;   // of the last kLossWindow of these
  std::optional<double> kl;
  double ce = 0;
  double lr = 0;                     // of the update that this step's gradients go into
  std::optional<double> grad_norm;   // before clipping, of the last update
  std::int64_t skipped_updates = 0;  // in the run so far, for a loss or gradient not finite
  std::int64_t tokens = 0;           // of this step
  double tokens_per_s = 0;           // of this step
  double elapsed_s = 0;              // of training, pauses between resumed runs left out
  std::int64_t skipped_lines = 0;    // bad ones so far; not in the file if there are none
  /// The norms of parts of the last update's gradient, before clipping (gradient_parts.h); in the
  /// file, as an object, only where there are some.
  std::vector<std::pair<std::string, double>> grad_norms = {};
  /// In the file, as ranks and waiting_share, only where there are several.
  std::optional<StepRanks> ranks = {};
  /// Resident memory of the process, in MiB; in the file only where it was looked at.
  std::optional<double> memory_mib = {};
  /// In the file, as on_policy_share, on_policy_mean_tokens, on_policy_s and
  /// on_policy_tokens_per_s, only where an expert has such a share.
  std::optional<StepOnPolicy> on_policy = {};
  /// In the file, as eval_cross_entropy, eval_perplexity, eval_bits_per_byte and eval_tokens, only
  /// where there is one.
  std::optional<StepEvaluation> evaluation = {};
  /// As suite_cases, suite_parsed, suite_calls, suite_name_right, suite_arguments_right and
  /// suite_all_right, only where there is one.
  std::optional<StepSuite> suite = {};

  nlohmann::ordered_json to_json() const;
  /// FormatError for a key that is missing or of another type.
  static StepRecord from_json(const nlohmann::ordered_json& json);
};

/// The first bytes of metrics.jsonl, as a checkpoint knows them.
struct MetricsMark {
  std::uint64_t bytes = 0;
  std::string sha256;  // of these; empty: not known
};

/// metrics.jsonl being written, a line a step. For one thread at a time.
class MetricsFile {
 public:
  /// Creates the file, or continues the one that is there (see keep_metrics). IoError.
  explicit MetricsFile(const std::filesystem::path& path);

  /// The line is with the operating system when this returns.
  void append(const StepRecord& record);
  /// Everything to disk; returns what a checkpoint is to know of it.
  MetricsMark sync();

 private:
  AppendFile file_;
  std::uint64_t offset_ = 0;
  Sha256 sum_;  // of the first `offset_` bytes
};

/// Of line `number` of a file, from 1. FormatError "FILE:LINE: ...".
StepRecord read_metrics_line(const std::string& line, const std::filesystem::path& path,
                             std::int64_t number);
/// All complete lines of a file, which may be growing. IoError; FormatError "FILE:LINE: ...".
std::vector<StepRecord> read_metrics(const std::filesystem::path& path);

}  // namespace gladius::train
