// Runs whose ranks update on their own (cluster.local_updates).
#include "gladius/train/loop/local_updates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "gladius/train/loop/trainer.h"
#include "gladius/train/run/memory.h"
#include "support/message_of.h"
#include "train/loop/rank_runs.h"

namespace gladius::train {
namespace {

using ::testing::AllOf;
using testing::expect_near;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::random_int;
using testing::random_run;
using testing::RankRuns;
using testing::Rng;
using testing::TinyRun;
namespace fs = std::filesystem;

using LocalUpdateRuns = RankRuns;
using Values = std::map<std::string, std::vector<double>>;

Values values_of(const NamedTensors& tensors) {
  Values values;
  for (const auto& [name, tensor] : tensors) values[name] = tensor.to_vector<double>();
  return values;
}

NamedTensors with_values(NamedTensors tensors, const Values& values) {
  for (auto& [name, tensor] : tensors) {
    if (tensor.dtype() != Dtype::F32) continue;  // counts
    const std::vector<double>& wanted = values.at(name);
    tensor = Tensor::from(std::vector<float>(wanted.begin(), wanted.end()), tensor.shape());
  }
  return tensors;
}

Values mean_of(const std::vector<Values>& ranks) {
  Values mean = ranks[0];
  for (auto& [name, values] : mean) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      double sum = 0;
      for (const Values& rank : ranks) sum += rank.at(name)[i];
      values[i] = sum / static_cast<double>(ranks.size());
    }
  }
  return mean;
}

std::shared_ptr<LanguageModel> student() {
  return testing::tiny_model(testing::tiny_config(TinyRun::kVocabulary), 1);
}

void ignore(const std::string&) {}

// A run of several ranks, and what each of them does on its own: a run of one process on the
// rank's micro-batches alone.
struct Setting {
  int ranks;
  std::int64_t rounds, own, batch;  // synchronisations, micro-batches an update and rank
  Json cluster, file;

  std::int64_t updates() const { return rounds * cluster.at("local_updates").get<std::int64_t>(); }

  static Setting random(Rng& rng, const TinyRun& run) {
    Setting setting{.ranks = static_cast<int>(random_int(rng, 2, 3)),
                    .rounds = random_int(rng, 1, 3),
                    .own = random_int(rng, 1, 3),
                    .batch = random_int(rng, 1, 2),
                    .cluster = {{"local_updates", random_int(rng, 1, 3)}},
                    .file = run.run_file()};
    setting.file["optimizer"] = {{"lr", 0.003}, {"schedule", "cosine"}, {"max_grad_norm", 0.5}};
    setting.file["data"]["shuffle"] = false;
    setting.file["batch_size"] = setting.batch;
    setting.file["loss"]["normalization"] = random_int(rng, 0, 1) == 0 ? "tokens" : "micro_batch";
    setting.file["teacher"] = random_int(rng, 0, 1) == 0;
    return setting;
  }
  RunConfig config(const TinyRun& run, std::int64_t accumulation) const {
    Json whole = file;
    const bool has_expert = whole["teacher"];
    whole.erase("teacher");
    whole["gradient_accumulation"] = accumulation;
    if (accumulation == own * ranks) whole["cluster"] = cluster;
    const std::int64_t steps = updates() * accumulation;
    whole["steps"] = steps;
    if (has_expert) {
      whole.erase("steps");
      whole["experts"] = {{{"model", "expert"}, {"steps", steps}}};
    }
    return settle_vocabularies(run.config(whole));
  }
  RunConfig all(const TinyRun& run) const { return config(run, own * ranks); }
  RunConfig one(const TinyRun& run) const { return config(run, own); }
};

// The micro-batches of a rank, in order.
std::vector<Example> part_of(const std::vector<Example>& examples, const Setting& setting,
                             int rank) {
  std::vector<Example> part;
  const std::int64_t group = setting.own * setting.ranks;
  for (std::int64_t i = 0; i < std::ssize(examples); ++i) {
    const std::int64_t micro_batch = i / setting.batch % group;
    if (micro_batch % setting.ranks == rank) part.push_back(examples[static_cast<std::size_t>(i)]);
  }
  return part;
}

struct Trained {
  Values weights, optimizer;
  std::vector<StepRecord> records;
};

Trained train_together(const Setting& setting, const RunConfig& config,
                       const std::vector<Example>& examples) {
  Trained trained;
  std::vector<Values> weights(static_cast<std::size_t>(setting.ranks));
  cluster::run_ranks(setting.ranks, [&](cluster::Communicator& communicator) {
    Ranks ranks(communicator);
    Trainer trainer(
        config, student(), examples, ignore, [](std::size_t) { return nullptr; }, &ranks);
    std::vector<StepRecord> records;
    while (!trainer.done()) records.push_back(trainer.step());
    const Checkpoint last = trainer.checkpoint();
    weights[static_cast<std::size_t>(ranks.rank())] = values_of(last.weights);
    if (!ranks.leads()) return;
    trained = {.weights = values_of(last.weights),
               .optimizer = values_of(last.optimizer),
               .records = records};
  });
  for (const Values& rank : weights) EXPECT_EQ(rank, trained.weights);
  return trained;
}

// The same from runs of one process each, in double precision but for the updates.
Trained train_apart(const Setting& setting, const RunConfig& config,
                    const std::vector<Example>& examples, double lr, double momentum) {
  std::vector<std::unique_ptr<Trainer>> trainers;
  std::vector<std::vector<StepRecord>> records(static_cast<std::size_t>(setting.ranks));
  for (int rank = 0; rank < setting.ranks; ++rank) {
    trainers.push_back(
        std::make_unique<Trainer>(config, student(), part_of(examples, setting, rank), ignore));
  }
  Values agreed = values_of(trainers[0]->checkpoint().weights), velocity = agreed, states;
  for (auto& [name, values] : velocity) std::ranges::fill(values, 0);
  const std::int64_t steps = setting.updates() / setting.rounds * setting.own;
  for (std::int64_t round = 0; round < setting.rounds; ++round) {
    std::vector<Checkpoint> ends;
    std::vector<Values> weights, optimizers;
    for (std::size_t rank = 0; rank < trainers.size(); ++rank) {
      for (std::int64_t i = 0; i < steps; ++i) records[rank].push_back(trainers[rank]->step());
      ends.push_back(trainers[rank]->checkpoint());
      weights.push_back(values_of(ends.back().weights));
      optimizers.push_back(values_of(ends.back().optimizer));
    }
    const Values mean = mean_of(weights);
    states = mean_of(optimizers);
    for (auto& [name, values] : agreed) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double change = mean.at(name)[i] - values[i];
        double& v = velocity[name][i];
        v = momentum * v + change;
        values[i] += lr * (change + momentum * v);
      }
    }
    for (std::size_t rank = 0; rank < trainers.size(); ++rank) {
      ends[rank].weights = with_values(ends[rank].weights, agreed);
      ends[rank].optimizer = with_values(ends[rank].optimizer, states);
      trainers[rank]->restore(ends[rank]);
    }
  }
  for (const auto& [name, values] : velocity) states[name + ".outer_momentum"] = values;
  Trained trained{.weights = agreed, .optimizer = states, .records = {}};
  for (std::int64_t step = 0; step < setting.updates() * setting.own; ++step) {
    for (const auto& rank : records)
      trained.records.push_back(rank[static_cast<std::size_t>(step)]);
  }
  return trained;
}

void expect_close(const Values& values, const Values& expected, double tolerance) {
  ASSERT_EQ(values.size(), expected.size());
  for (const auto& [name, wanted] : expected) {
    ASSERT_TRUE(values.contains(name)) << name;
    double largest = 1e-3, error = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      largest = std::max(largest, std::abs(wanted[i]));
      error = std::max(error, std::abs(values.at(name)[i] - wanted[i]));
    }
    EXPECT_LE(error, tolerance * largest) << name;
  }
}

void expect_as_apart(Rng& rng, const TinyRun& run, const Setting& setting, double lr,
                     double momentum) {
  SCOPED_TRACE(::testing::Message() << setting.ranks << " ranks, own " << setting.own << " "
                                    << setting.file.dump() << setting.cluster.dump());
  const std::int64_t count = setting.updates() * setting.own * setting.ranks * setting.batch;
  const auto examples = testing::learnable_examples(rng, count, 3, 9, TinyRun::kVocabulary);
  const Trained together = train_together(setting, setting.all(run), examples);
  const Trained apart = train_apart(setting, setting.one(run), examples, lr, momentum);
  expect_close(together.weights, apart.weights, 2e-5);
  expect_close(together.optimizer, apart.optimizer, 2e-4);
  ASSERT_EQ(together.records.size(), apart.records.size());
  for (std::size_t i = 0; i < apart.records.size(); ++i) {
    EXPECT_NEAR(together.records[i].loss, apart.records[i].loss, 2e-5);
    EXPECT_NEAR(together.records[i].ce, apart.records[i].ce, 2e-5);
    EXPECT_EQ(together.records[i].tokens, apart.records[i].tokens);
    EXPECT_EQ(together.records[i].lr, apart.records[i].lr);
    const std::size_t group = static_cast<std::size_t>(setting.own * setting.ranks);
    if ((i + 1) % group != 0) continue;
    double squares = 0;  // of the ranks' last steps of the group, whose norms are their updates'
    for (int rank = 0; rank < setting.ranks; ++rank) {
      squares += std::pow(apart.records[i - static_cast<std::size_t>(rank)].grad_norm.value(), 2);
    }
    EXPECT_NEAR(together.records[i].grad_norm.value(), std::sqrt(squares / setting.ranks),
                1e-4 * std::sqrt(squares));
  }
}

TEST_F(LocalUpdateRuns, AverageTheWeightsOfStudentsTrainedApart) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  Setting setting = Setting::random(rng, run);
  setting.cluster = {{"local_updates", 1}, {"outer_lr", 1}, {"outer_momentum", 0}};
  expect_as_apart(rng, run, setting, 1, 0);
}

TEST_F(LocalUpdateRuns, TakeAnOuterStepWithMomentum) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  expect_as_apart(rng, run, Setting::random(rng, run), 0.7, 0.9);
  Setting other = Setting::random(rng, run);
  other.cluster["outer_lr"] = 1.25, other.cluster["outer_momentum"] = 0.5;
  expect_as_apart(rng, run, other, 1.25, 0.5);
}

// One rank whose outer step changes nothing is a run of one process.
TEST_F(LocalUpdateRuns, OfOneProcessAreAPlainRunIfItsStepIsTakenAsItIs) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  Json file = random_run(rng, run, 20);
  SCOPED_TRACE(file.dump());
  ASSERT_TRUE(execute(run.config(file), run.directory / "plain", 1));
  file["cluster"] = {
      {"local_updates", random_int(rng, 1, 5)}, {"outer_lr", 1}, {"outer_momentum", 0}};
  ASSERT_TRUE(execute(run.config(file), run.directory / "local", 1));
  expect_near(records(run.directory / "local"), records(run.directory / "plain"));
}

Json random_local_run(Rng& rng, const TinyRun& run, std::int64_t updates) {
  Json file = random_run(rng, run, updates);
  file["cluster"] = {{"local_updates", random_int(rng, 1, 5)},
                     {"compress", random_int(rng, 0, 1) == 0 ? "none" : "bf16"}};
  if (random_int(rng, 0, 3) == 0) file["optimizer"]["name"] = "muon";
  return file;
}

std::vector<std::int64_t> checkpointed(const fs::path& out) {
  std::vector<std::int64_t> steps;
  for (const auto& entry : list_checkpoints(RunPaths{out}.checkpoints())) {
    steps.push_back(entry.step);
  }
  return steps;
}

TEST_F(LocalUpdateRuns, HaveTheSameBitsAndResumeToThem) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const TinyRun run;
  Json file = random_local_run(rng, run, 16);
  file["keep_checkpoints"] = 100;
  SCOPED_TRACE(file.dump());
  const RunConfig config = run.config(file);
  const int ranks = static_cast<int>(random_int(rng, 1, 4));
  const fs::path whole = run.directory / "whole", again = run.directory / "again",
                 stopped = run.directory / "stopped", other = run.directory / "other";
  ASSERT_TRUE(execute(config, whole, ranks));
  ASSERT_TRUE(execute(config, again, ranks));
  EXPECT_EQ(weights(again), weights(whole));
  EXPECT_EQ(testing::timeless_metrics(again), testing::timeless_metrics(whole));
  EXPECT_EQ(records(whole).back().ranks.value().count, ranks);
  const TrainingPlan plan(config);
  for (const std::int64_t step : checkpointed(whole)) EXPECT_TRUE(plan.synchronises(step - 1));
  const std::int64_t stop = random_int(rng, 1, plan.total_steps() - 1);
  SCOPED_TRACE(::testing::Message() << ranks << " ranks, stop after " << stop);
  if (execute(config, stopped, ranks, false, stop)) return;  // the next synchronisation is the end
  // It has stopped at the first synchronisation after that; the last step's line is written at the
  // end.
  const std::int64_t at = checkpointed(stopped).back();
  for (std::int64_t step = stop; step < at; ++step) EXPECT_FALSE(plan.synchronises(step - 1));
  EXPECT_EQ(std::ssize(records(stopped)), at == plan.total_steps() ? at - 1 : at);
  fs::copy(stopped, other, fs::copy_options::recursive);
  ASSERT_TRUE(execute(config, stopped, ranks, true));
  if (config.cluster.compress == ClusterCompression::none) {
    EXPECT_EQ(weights(stopped), weights(whole));
    EXPECT_EQ(testing::timeless_metrics(stopped), testing::timeless_metrics(whole));
  }
  ASSERT_TRUE(execute(config, other, ranks == 4 ? 1 : ranks + 1, true));
  EXPECT_EQ(std::ssize(records(other)), plan.total_steps());
  EXPECT_LT(records(other).back().loss_window_mean, records(other).front().loss);
}

// None updates where one has nothing to update with.
TEST_F(LocalUpdateRuns, SkipAnUpdateTogether) {
  const TinyRun run;
  Json file = run.run_file();
  file["cluster"] = {{"local_updates", 4}};
  const RunConfig config = run.config(file);
  Rng rng(3);
  const auto examples = testing::learnable_examples(rng, 12, 5, 5, TinyRun::kVocabulary);
  cluster::run_ranks(3, [&](cluster::Communicator& communicator) {
    Ranks ranks(communicator);
    const auto model = student();
    if (ranks.rank() == 2) {
      Tensor embedding = model->parameters()[0].value();
      embedding.fill_(std::numeric_limits<double>::quiet_NaN());
    }
    const Values before = values_of(model->state_dict());
    Trainer trainer(
        config, model, examples, ignore, [](std::size_t) { return nullptr; }, &ranks);
    for (int step = 0; step < 9; ++step) trainer.step();
    EXPECT_EQ(trainer.state().skipped_updates, 3);
    EXPECT_EQ(trainer.nonfinite_rank(), 2);
    EXPECT_FALSE(trainer.is_synchronised());
    if (ranks.rank() == 2) return;
    EXPECT_EQ(values_of(model->state_dict()), before);
  });
}

TEST_F(LocalUpdateRuns, GoOnToAnotherLengthWhereTheyDoNotSynchroniseOtherwise) {
  const TinyRun run;
  Json file = run.run_file();  // updates of 3 micro-batches
  file["optimizer"] = {{"lr", 0.01}};
  file["cluster"] = {{"local_updates", 2}};
  file["keep_checkpoints"] = 9;
  const auto config = [&](std::int64_t steps) {
    file["steps"] = steps;
    return run.config(file);
  };
  const fs::path out = run.directory / "out", whole = run.directory / "whole";
  ASSERT_TRUE(execute(config(30), whole, 2));
  ASSERT_TRUE(execute(config(18), out, 2));
  ASSERT_TRUE(execute(config(30), out, 2, true));
  EXPECT_EQ(weights(out), weights(whole));
  // 15 micro-batches end with a synchronisation of their own: back to that before.
  fs::remove_all(out);
  ASSERT_TRUE(execute(config(15), out, 2));
  ASSERT_TRUE(execute(config(30), out, 2, true));
  EXPECT_EQ(weights(out), weights(whole));
  // Which is not there any more.
  fs::remove_all(out);
  file["checkpoint_every"] = 100;
  ASSERT_TRUE(execute(config(15), out, 2));
  EXPECT_THAT(message_of<ConfigError>([&] { execute(config(30), out, 2, true); }),
              HasSubstr("averaged after step 14, as it was the last (cluster.local_updates)"));
}

TEST_F(LocalUpdateRuns, AreRefusedWithWhatDoesNotGoWithThem) {
  const TinyRun run;
  Json file = run.run_file();  // 4 updates
  const auto refusal = [&](const Json& cluster) {
    file["cluster"] = cluster;
    return message_of<ConfigError>([&] { run.config(file); });
  };
  EXPECT_THAT(refusal({{"local_updates", 2}, {"shard_optimizer", true}}),
              AllOf(HasSubstr("cluster.shard_optimizer"), HasSubstr("\"local_updates\"")));
  EXPECT_THAT(refusal({{"local_updates", 5}}),
              AllOf(HasSubstr("cluster.local_updates"), HasSubstr("is 5"), HasSubstr("4 updates")));
  EXPECT_THAT(refusal({{"local_updates", -1}}), HasSubstr("cluster.local_updates"));
  EXPECT_THAT(refusal({{"outer_lr", 0}}), HasSubstr("cluster.outer_lr"));
  EXPECT_THAT(refusal({{"outer_momentum", 1}}), HasSubstr("cluster.outer_momentum"));
  file["cluster"] = {{"local_updates", 4}};
  EXPECT_EQ(run.config(file).cluster.local_updates, 4);
  // On --resume, too, it is another run.
  ASSERT_FALSE(execute(run.config(file), run.directory / "out", 2, false, 0));
  file["cluster"] = {{"local_updates", 2}};
  EXPECT_THAT(
      message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out", 2, true); }),
      HasSubstr("cluster.local_updates 4 -> 2"));
}

// Beside a count from the front.
TEST(LocalUpdates, SynchroniseAfterSoManyUpdatesAndAtTheEndOfAStage) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  RunConfig config;
  config.gradient_accumulation = random_int(rng, 1, 5);
  config.cluster.local_updates = random_int(rng, 0, 4);
  for (std::int64_t i = random_int(rng, 1, 3); i > 0; --i) {
    ExpertConfig expert;
    expert.steps = random_int(rng, 1, 30);
    config.experts.push_back(expert);
  }
  const TrainingPlan plan(config);
  std::int64_t step = 0;
  for (const ExpertConfig& expert : config.experts) {
    std::int64_t in_group = 0, updates = 0;
    for (std::int64_t i = 1; i <= expert.steps; ++i, ++step) {
      const bool is_last = i == expert.steps;
      const bool updated = ++in_group == config.gradient_accumulation || is_last;
      if (updated) in_group = 0, ++updates;
      const bool agrees =
          updated && updates == std::max<std::int64_t>(1, config.cluster.local_updates);
      EXPECT_EQ(plan.synchronises(step), agrees || is_last) << step;
      if (agrees) updates = 0;
    }
  }
}

TEST(LocalUpdates, TakeMemory) {
  const TinyRun run;
  Json file = run.run_file();
  const RunConfig plain = run.config(file);
  const auto model = student();
  const MemoryNeed before = estimate_memory(plain, *model, 9);
  file["cluster"] = {{"local_updates", 2}};
  const MemoryNeed need = estimate_memory(run.config(file), *model, 9);
  EXPECT_EQ(need.required(), before.required() + 2 * before.weights);
  file["cluster"]["compress"] = "bf16";
  const MemoryNeed compressed = estimate_memory(run.config(file), *model, 9);
  EXPECT_EQ(compressed.required(), before.required() + 3 * before.weights);
  EXPECT_THAT(message_of<Error>([&] {
                require_memory(compressed, {1, "MemAvailable"});
              }),
              HasSubstr("cluster.local_updates 0.00,"));
}

TEST(LocalUpdates, TakeNoStateThatIsNotTheirs) {
  Rng rng(1);
  cluster::SolitaryCommunicator communicator;
  Ranks ranks(communicator);
  const Variable weight(testing::random_tensor(rng, {2, 3}, -1, 1, Dtype::F32), true);
  LocalUpdates local(ranks, {{"w", weight}}, {});
  EXPECT_TRUE(local.state_dict().empty());
  const Tensor fits = Tensor::zeros({2, 3}, Dtype::F32);
  const auto [optimizer, outer] =
      LocalUpdates::split({{"w.exp_avg", fits}, {"w.outer_momentum", fits}, {"w.step", Tensor()}});
  ASSERT_EQ(outer.size(), 1u);
  EXPECT_EQ(optimizer.size(), 2u);
  local.load_state_dict(outer);
  EXPECT_EQ(local.state_dict()[0].first, "w.outer_momentum");
  EXPECT_THROW(local.load_state_dict({{"v.outer_momentum", fits}}), FormatError);
  EXPECT_THROW(local.load_state_dict({{"w.outer_momentum", Tensor::zeros({3, 2}, Dtype::F32)}}),
               FormatError);
  EXPECT_THROW(local.load_state_dict({{"w.outer_momentum", fits}, {"v.outer_momentum", fits}}),
               FormatError);
  local.load_state_dict({});
  EXPECT_TRUE(local.state_dict().empty());
}

}  // namespace
}  // namespace gladius::train
