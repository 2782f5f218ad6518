#include "gladius/train/loop/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "gladius/train/loop/gradient_reducer.h"
#include "support/message_of.h"
#include "train/loop/rank_runs.h"

namespace gladius::train {
namespace {

using testing::expect_near;
using ::testing::HasSubstr;
using testing::Json;
using testing::random_run;
using testing::RankRuns;
using testing::Rng;
using testing::TinyRun;
namespace fs = std::filesystem;

TEST_F(RankRuns, HaveTheLossesOfOneProcessAndTheBitsOfEachOther) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  const Json file = random_run(rng, run, 50);
  SCOPED_TRACE(file.dump());
  const RunConfig config = run.config(file);
  ASSERT_TRUE(execute(config, run.directory / "one", 1));
  const std::vector<StepRecord> expected = records(run.directory / "one");
  for (int ranks = 2; ranks <= 4; ++ranks) {
    const fs::path out = run.directory / std::to_string(ranks);
    const fs::path again = run.directory / (std::to_string(ranks) + "-again");
    ASSERT_TRUE(execute(config, out, ranks));
    ASSERT_TRUE(execute(config, again, ranks));
    expect_near(records(out), expected);
    EXPECT_EQ(weights(out), weights(again));
    EXPECT_EQ(records(out).back().ranks.value().count, ranks);
  }
}

TEST_F(RankRuns, AShardedOptimizerHasTheSameBits) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  Json file = random_run(rng, run, 12);
  file["optimizer"]["decay"] = "matrices";
  file["optimizer"]["max_grad_norm"] = 0.3;
  SCOPED_TRACE(file.dump());
  const int ranks = static_cast<int>(testing::random_int(rng, 2, 4));
  const fs::path whole = run.directory / "whole", sharded = run.directory / "sharded",
                 stopped = run.directory / "stopped";
  ASSERT_TRUE(execute(run.config(file), whole, ranks));
  const RunConfig unsharded = run.config(file);
  file["cluster"]["shard_optimizer"] = true;
  ASSERT_TRUE(execute(run.config(file), sharded, ranks));
  EXPECT_EQ(weights(sharded), weights(whole));
  // A checkpoint has the whole state: it serves any optimizer and number of ranks.
  const std::int64_t stop = testing::random_int(rng, 1, std::ssize(records(whole)) - 10);
  ASSERT_FALSE(execute(run.config(file), stopped, ranks, false, stop));
  fs::copy(stopped, run.directory / "unsharded", fs::copy_options::recursive);
  fs::copy(stopped, run.directory / "alone", fs::copy_options::recursive);
  ASSERT_TRUE(execute(run.config(file), stopped, ranks, true));
  EXPECT_EQ(weights(stopped), weights(whole));
  ASSERT_TRUE(execute(unsharded, run.directory / "unsharded", ranks, true));
  EXPECT_EQ(weights(run.directory / "unsharded"), weights(whole));
  ASSERT_TRUE(execute(unsharded, run.directory / "alone", 1, true));
  expect_near(records(run.directory / "alone"), records(whole));
}

TEST_F(RankRuns, CompressedGradientsTrainAsWell) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  Json file = random_run(rng, run, 200);
  const int ranks = static_cast<int>(testing::random_int(rng, 2, 4));
  ASSERT_TRUE(execute(run.config(file), run.directory / "exact", ranks));
  file["cluster"]["compress"] = "bf16";
  file["cluster"]["shard_optimizer"] = testing::random_int(rng, 0, 1) == 0;
  SCOPED_TRACE(file.dump());
  ASSERT_TRUE(execute(run.config(file), run.directory / "bf16", ranks));
  const double exact = records(run.directory / "exact").back().loss_window_mean;
  EXPECT_NEAR(records(run.directory / "bf16").back().loss_window_mean, exact, 0.005 * exact);
  EXPECT_NE(weights(run.directory / "bf16"), weights(run.directory / "exact"));
}

TEST_F(RankRuns, AShardedMuonIsRefused) {
  const TinyRun run;
  Json file = run.run_file();
  file["cluster"]["shard_optimizer"] = true;
  file["optimizer"]["name"] = "muon";
  EXPECT_THAT(testing::message_of<ConfigError>([&] { run.config(file); }),
              HasSubstr("cluster.shard_optimizer"));
}

// Data of which only the first examples are held in memory.
TEST_F(RankRuns, ReadStreamedDataAsOneProcessDoes) {
  const TinyRun run;
  std::string line = "{\"input_ids\": [";
  for (int i = 0; i < 300; ++i) line += std::to_string(i % 47) + (i < 299 ? ", " : "]}\n");
  std::string lines;
  for (int i = 0; i < 4000; ++i) {
    line[15] = static_cast<char>('0' + i % 7);
    lines += line;
  }
  testing::write_file(run.directory / "data.jsonl", lines);
  Json file = run.run_file();
  file["data"] = {{"train", "data.jsonl"}, {"shuffle", true}, {"max_seq_len", 300}};
  file["steps"] = 14;
  const RunConfig config = run.config(file);
  ASSERT_TRUE(execute(config, run.directory / "one", 1));
  ASSERT_TRUE(execute(config, run.directory / "three", 3));
  EXPECT_FALSE(Json::parse(testing::read_file(run.directory / "one" / "data.json"))
                   .at("train")
                   .at("complete")
                   .get<bool>());
  expect_near(records(run.directory / "three"), records(run.directory / "one"));
}

TEST_F(RankRuns, ResumeToTheSameBitsWithAsManyRanksAndGoOnWithOthers) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  const Json file = random_run(rng, run, 8);
  SCOPED_TRACE(file.dump());
  const RunConfig config = run.config(file);
  const int ranks = static_cast<int>(testing::random_int(rng, 2, 4));
  ASSERT_TRUE(execute(config, run.directory / "whole", ranks));
  const std::int64_t steps = std::ssize(records(run.directory / "whole"));
  const std::int64_t stop = testing::random_int(rng, 1, steps - 10);
  SCOPED_TRACE(::testing::Message() << ranks << " ranks, stop after " << stop);
  const fs::path same = run.directory / "same", other = run.directory / "other",
                 alone = run.directory / "alone";
  ASSERT_FALSE(execute(config, same, ranks, false, stop));
  fs::copy(same, other, fs::copy_options::recursive);
  ASSERT_TRUE(execute(config, same, ranks, true));
  EXPECT_EQ(weights(same), weights(run.directory / "whole"));
  const int others = ranks == 4 ? 1 : ranks + 1;
  ASSERT_TRUE(execute(config, other, others, true));
  expect_near(records(other), records(run.directory / "whole"));
  // One process stops within a group, whose gradients rank 0 then begins with.
  ASSERT_FALSE(execute(config, alone, 1, false, stop));
  ASSERT_TRUE(execute(config, alone, ranks, true));
  expect_near(records(alone), records(run.directory / "whole"));
  // A run that is complete has its report written again.
  EXPECT_TRUE(execute(config, same, ranks, true));
}

TEST_F(RankRuns, AreRefusedWhereOneWouldHaveNothingToDo) {
  const TinyRun run;
  const RunConfig config = run.config(run.run_file());
  EXPECT_THAT(
      testing::message_of<ConfigError>([&] { execute(config, run.directory / "out", 4); }),
      HasSubstr("\"gradient_accumulation\" 3 micro-batches, which are too few for 4 ranks"));
  EXPECT_FALSE(fs::exists(run.directory / "out"));
}

TEST_F(RankRuns, AreRefusedWhereOneHasAnotherFileOrSetting) {
  const TinyRun run;
  const auto refusal = [&](const Json& theirs) {
    return testing::message_of<ConfigError>([&] {
      cluster::run_ranks(3, [&](cluster::Communicator& communicator) {
        Ranks ranks(communicator);
        const RunConfig config = run.config(ranks.rank() == 2 ? theirs : run.run_file());
        distill(config, run.directory / "out", false, {}, &ranks);
      });
    });
  };
  Json theirs = run.run_file();
  theirs["optimizer"]["lr"] = 0.5;
  EXPECT_THAT(refusal(theirs), ::testing::AllOf(HasSubstr("rank 2 on "), HasSubstr("optimizer.lr"),
                                                HasSubstr("has 0.5"), HasSubstr("rank 0 0.01")));
  testing::write_file(run.directory / "other.jsonl",
                      testing::read_file(run.directory / "data.jsonl") + "\n");
  theirs = run.run_file();
  theirs["data"]["train"] = "other.jsonl";
  EXPECT_THAT(refusal(theirs),
              ::testing::AllOf(HasSubstr("rank 2 on "), HasSubstr("another file for data.train"),
                               HasSubstr("other.jsonl")));
  // As many files, one of them for something else.
  Json own = run.run_file();
  own["data"]["eval"] = "other.jsonl";
  theirs = run.run_file();
  theirs["data"]["train"] = {"data.jsonl", "other.jsonl"};
  EXPECT_THAT(testing::message_of<ConfigError>([&] {
                cluster::run_ranks(2, [&](cluster::Communicator& communicator) {
                  Ranks ranks(communicator);
                  distill(run.config(ranks.leads() ? own : theirs), run.directory / "out", false,
                          {}, &ranks);
                });
              }),
              ::testing::AllOf(HasSubstr("rank 1 on "), HasSubstr("other.jsonl for data.train"),
                               HasSubstr("where rank 0 has a file for ")));
  EXPECT_FALSE(fs::exists(run.directory / "out"));
}

Tensor random_f32(Rng& rng, const Shape& shape) {
  return testing::random_tensor(rng, shape, -1, 1, Dtype::F32);
}

// Of the ranks' gradients, in buckets.
TEST_F(RankRuns, SumGradientsAndLeaveOutWhatNoRankHas) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const int size = static_cast<int>(seed % 3) + 2;
  cluster::run_ranks(size, [&](cluster::Communicator& communicator) {
    Ranks ranks(communicator);
    Rng rng(seed);  // the same on all ranks
    NamedVariables parameters;
    std::vector<Tensor> sums;
    for (int i = 0; i < 5; ++i) {
      Variable parameter(random_f32(rng, testing::random_shape(rng, 2, 1, 40)), true);
      Tensor sum;
      for (int rank = 0; rank < size; ++rank) {
        const Tensor gradient = random_f32(rng, parameter.shape());
        const bool has = i != 3 && (i != 1 || rank == size - 1);
        if (!has) continue;
        if (rank == ranks.rank()) parameter.set_grad(gradient.clone());
        sum = sum.defined() ? add(sum, gradient) : gradient;
      }
      sums.push_back(sum);
      parameters.emplace_back(std::to_string(i), parameter);
    }
    GradientReducer reducer(communicator, parameters, {.bucket = testing::random_int(rng, 1, 300)});
    reducer.begin();
    // Some are complete before the rest, in the same or another order on each rank.
    for (int i = 0; i < 3; ++i) {
      const auto chosen = static_cast<std::size_t>((i * 3 + ranks.rank()) % 5);
      reducer.complete(parameters[chosen].second.node().get());
    }
    reducer.finish();
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const Tensor grad = parameters[i].second.grad();
      ASSERT_EQ(grad.defined(), sums[i].defined()) << i;
      if (!grad.defined()) continue;
      EXPECT_EQ(grad.to_vector<float>(), sums[i].to_vector<float>());
    }
  });
}

}  // namespace
}  // namespace gladius::train
