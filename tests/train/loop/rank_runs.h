// Runs of several ranks, which are threads of the test.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include "gladius/tensor/base/sha256.h"
#include "gladius/tensor/parallel.h"
#include "gladius/train/cluster/shared_transport.h"
#include "gladius/train/distill.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_directory.h"
#include "train/tiny_runs.h"

namespace gladius::testing {

/// The pool of threads is one for all ranks.
class RankRuns : public ::testing::Test {
 protected:
  RankRuns() { set_num_threads(1); }
  ~RankRuns() override { set_num_threads(before_); }
  RankRuns(const RankRuns&) = delete;
  RankRuns& operator=(const RankRuns&) = delete;

  // Whether the run is complete. `stop_after` steps it is asked to stop.
  static bool execute(const train::RunConfig& config, const std::filesystem::path& out, int ranks,
                      bool resume = false, std::int64_t stop_after = -1) {
    std::atomic<bool> complete = false;
    cluster::run_ranks(ranks, [&](cluster::Communicator& communicator) {
      train::Ranks own(communicator);
      std::int64_t steps = 0;
      train::RunEvents events;
      if (own.leads()) {
        events.step = [&](const train::StepRecord& record) { steps = record.step + 1; };
        events.stop_requested = [&] { return stop_after >= 0 && steps >= stop_after; };
      }
      const train::RunOutcome outcome =
          train::distill(config, out, resume, events, ranks == 1 ? nullptr : &own);
      if (own.leads()) complete = outcome.complete;
    });
    return complete;
  }

  static std::string weights(const std::filesystem::path& out) {
    return sha256_file(train::RunPaths{out}.model() / "model.safetensors");
  }
  static std::vector<train::StepRecord> records(const std::filesystem::path& out) {
    return train::read_metrics(train::RunPaths{out}.metrics());
  }

 private:
  int before_ = num_threads();
};

/// Losses to `tolerance` of theirs, norms to ten times that, the rest as it is.
inline void expect_near(const std::vector<train::StepRecord>& records,
                        const std::vector<train::StepRecord>& expected, double tolerance = 1e-5) {
  ASSERT_EQ(records.size(), expected.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "step " << i);
    const train::StepRecord &one = records[i], &other = expected[i];
    EXPECT_EQ(one.step, other.step);
    EXPECT_NEAR(one.loss, other.loss, tolerance * std::abs(other.loss));
    EXPECT_NEAR(one.loss_running_mean, other.loss_running_mean,
                tolerance * std::abs(other.loss_running_mean));
    EXPECT_NEAR(one.ce, other.ce, tolerance * std::abs(other.ce));
    EXPECT_EQ(one.kl.has_value(), other.kl.has_value());
    EXPECT_EQ(one.tokens, other.tokens);
    EXPECT_EQ(one.lr, other.lr);
    EXPECT_EQ(one.expert, other.expert);
    EXPECT_EQ(one.skipped_lines, other.skipped_lines);
    EXPECT_EQ(one.grad_norm.has_value(), other.grad_norm.has_value());
    EXPECT_NEAR(one.grad_norm.value_or(0), other.grad_norm.value_or(0),
                10 * tolerance * other.grad_norm.value_or(0));
    EXPECT_EQ(one.evaluation.has_value(), other.evaluation.has_value());
  }
}

/// With or without an expert.
inline Json random_run(Rng& rng, const TinyRun& run, std::int64_t updates) {
  Json file = random_int(rng, 0, 3) == 0 ? run.run_file() : run.distillation_file();
  const std::int64_t group = random_int(rng, 4, 7);
  // The last group of an expert is not full.
  const std::int64_t steps = updates * group / 2 - random_int(rng, 1, 3);
  file["gradient_accumulation"] = group;
  if (file.contains("experts")) {
    for (Json& expert : file["experts"]) expert["steps"] = steps;
  } else {
    file["steps"] = 2 * steps;
  }
  file["optimizer"]["lr"] = 0.003;
  file["batch_size"] = random_int(rng, 1, 3);
  file["data"]["shuffle"] = random_int(rng, 0, 1) == 0;
  file["data"]["packing"] = random_int(rng, 0, 1) == 0;
  file["data"]["max_seq_len"] = 16;
  const bool by_tokens = random_int(rng, 0, 1) == 0;
  file["loss"]["normalization"] = by_tokens ? "tokens" : "micro_batch";
  if (file.contains("experts") && random_int(rng, 0, 1) == 0) {
    file["teacher_cache"]["max_gb"] = 1;
  }
  file["checkpoint_every"] = random_int(rng, 3, 30);
  return file;
}

}  // namespace gladius::testing
