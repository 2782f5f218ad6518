#include "gladius/train/distill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "gladius/tensor/io/safetensors.h"
#include "gladius/tensor/precision.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/fingerprint.h"
#include "gladius/train/run/run_directory.h"
#include "support/message_of.h"
#include "train/run/run_events.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::execute;
using testing::expect_resumes_as;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::read_file;
using testing::timeless_metrics;
using testing::TinyRun;
using testing::weights;

TEST(Distill, LeavesAModelMetricsAndReports) {
  const TinyRun run;
  testing::write_tiny_tokenizer(run.directory / "tokenizer");
  Json file = run.run_file();
  file["student"]["config"] = "wide.json";
  file["student"]["tokenizer"] = "tokenizer";
  file["data"]["eval"] = "data.jsonl";
  testing::write_file(run.directory / "wide.json", testing::tiny_config(265).dump());
  const fs::path out = run.directory / "out" / "run";
  EXPECT_TRUE(execute(run.config(file), out).complete);
  const auto model = load_model(out / "model");
  EXPECT_EQ(model->config().vocab_size, 265);
  EXPECT_EQ(read_file(out / "model" / "tokenizer.json"),
            read_file(run.directory / "tokenizer" / "tokenizer.json"));
  EXPECT_EQ(read_metrics(out / "metrics.jsonl").size(), 12u);
  EXPECT_EQ(Json::parse(read_file(out / "run.json")), run.config(file).resolved());
  const Json evaluation = Json::parse(read_file(out / "evaluation.json"));
  EXPECT_GT(evaluation.at("perplexity").get<double>(), 1);
  EXPECT_THAT(read_file(out / "report.md"),
              AllOf(HasSubstr("| Training status | Complete |"), HasSubstr("| Steps | 12 of 12 |"),
                    HasSubstr("lm\\_head.weight"), HasSubstr("baseline")));
  EXPECT_THAT(read_file(out / "report.html"), HasSubstr("<svg "));
}

TEST(Distill, NeedsNoObserver) {
  const TinyRun run;
  const RunConfig config = run.config(run.run_file());
  execute(config, run.directory / "observed");
  EXPECT_TRUE(distill(config, run.directory / "alone", /*resume=*/false, {}).complete);
  EXPECT_EQ(weights(run.directory / "alone"), weights(run.directory / "observed"));
}

TEST(Distill, MayBeStoppedWhileItEvaluates) {
  const TinyRun run;
  Json file = run.run_file();
  std::string line = "{\"input_ids\": [1";
  for (int i = 0; i < 300; ++i) line += ", 2";
  line += "]}\n";
  testing::write_file(run.directory / "eval.jsonl", line + line + line);
  file["data"]["eval"] = "eval.jsonl";
  const fs::path out = run.directory / "out";
  constexpr int kBefore = 12 + 3;  // after each step and each checkpoint
  int asked = 0;
  const RunOutcome stopped = distill(run.config(file), out, false,
                                     {.begin = [](const TrainingPlan&, const TrainerState&) {},
                                      .step = [](const StepRecord&) {},
                                      .info = [](const std::string&) {},
                                      .warn = [](const std::string&) {},
                                      .stop_requested = [&] { return ++asked == kBefore + 2; }});
  EXPECT_FALSE(stopped.complete);
  EXPECT_EQ(stopped.steps, 12);
  EXPECT_FALSE(fs::exists(out / "evaluation.json"));
  EXPECT_TRUE(execute(run.config(file), out, true).complete);
  EXPECT_TRUE(fs::exists(out / "evaluation.json"));
}

TEST(Distill, GoesOnToTheBit) {
  const TinyRun run;
  const RunConfig config = run.config(run.distillation_file());
  const fs::path whole = run.directory / "whole";
  execute(config, whole);
  const auto expected = timeless_metrics(whole);
  ASSERT_EQ(expected.size(), 13u);
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  for (int trial = 0; trial < 5; ++trial) {
    const std::int64_t first = testing::random_int(rng, 1, 11);
    const std::int64_t second = testing::random_int(rng, first + 1, 12);
    SCOPED_TRACE(::testing::Message() << "stopped after " << first << " and " << second);
    const fs::path out = run.directory / ("stopped" + std::to_string(trial));
    const RunOutcome outcome = execute(config, out, false, first);
    EXPECT_FALSE(outcome.complete);
    EXPECT_EQ(outcome.steps, first);
    EXPECT_FALSE(execute(config, out, true, second).complete);
    EXPECT_TRUE(execute(config, out, true).complete);
    EXPECT_EQ(weights(out), weights(whole));
    EXPECT_EQ(timeless_metrics(out), expected);
    EXPECT_EQ(testing::events_differ({out}), "");
  }
}

TEST(Distill, GoesOnToTheBitWithMuon) {
  const TinyRun run;
  Json file = run.distillation_file();
  file["optimizer"]["name"] = "muon";
  file["optimizer"]["decay"] = "matrices";
  const RunConfig config = run.config(file);
  const fs::path whole = run.directory / "whole", adamw = run.directory / "adamw";
  execute(config, whole);
  EXPECT_THAT(read_file(whole / "report.md"), HasSubstr("Muon, momentum 0.95"));
  execute(run.config(run.distillation_file()), adamw);
  EXPECT_NE(weights(whole), weights(adamw));
  for (const std::int64_t stop : {2, 6, 11}) {
    const fs::path out = run.directory / ("stopped" + std::to_string(stop));
    execute(config, out, false, stop);
    expect_resumes_as(config, out, whole);
  }
}

TEST(Distill, GoesOnToTheBitInBf16) {
  const TinyRun run;
  Json file = run.distillation_file();
  const fs::path exact = run.directory / "exact", whole = run.directory / "whole";
  execute(run.config(file), exact);
  file["precision"] = "bf16";
  file["activation_checkpointing"] = true;
  execute(run.config(file), whole);
  EXPECT_NE(weights(whole), weights(exact));
  EXPECT_THAT(read_file(whole / "report.md"), HasSubstr("products of bfloat16 operands"));
  for (const std::int64_t stop : {2, 6, 11}) {
    const fs::path out = run.directory / ("stopped" + std::to_string(stop));
    file["activation_checkpointing"] = stop == 6;  // which changes no bit
    execute(run.config(file), out, false, stop);
    file["precision"] = stop == 2 ? "auto" : "bf16";  // auto is what the run began with
    expect_resumes_as(run.config(file), out, whole);
    file["precision"] = "bf16";
  }
}

TEST(Distill, RecordsThePrecisionThatAutoChose) {
  const TinyRun run;
  Json file = run.distillation_file();
  file["precision"] = "auto";
  const fs::path out = run.directory / "out";
  EXPECT_FALSE(execute(run.config(file), out, false, 3).complete);
  const std::string chosen = Json::parse(read_file(out / "run.json")).at("precision");
  EXPECT_TRUE(chosen == "f32" || (chosen == "bf16" && has_bf16_products())) << chosen;
  file["precision"] = chosen == "f32" ? "bf16" : "f32";
  EXPECT_THAT(message_of<ConfigError>([&] { execute(run.config(file), out, true); }),
              HasSubstr("precision"));
  file["precision"] = "auto";
  EXPECT_TRUE(execute(run.config(file), out, true).complete);
}

TEST(Distill, GoesOnToTheBitWithPackingAndBadLines) {
  const TinyRun run;
  testing::Rng rng(4);
  const std::string lines =
      testing::as_jsonl(testing::learnable_examples(rng, 4, 3, 9, TinyRun::kVocabulary));
  testing::write_file(run.directory / "data-2.jsonl", lines + "{\"text\": 1}\n" + lines);
  Json file = run.distillation_file();
  file["data"] = {{"train", "data*.jsonl"},
                  {"packing", true},
                  {"max_seq_len", 20},
                  {"shuffle", true},
                  {"on_bad_line", "skip"}};
  const RunConfig config = run.config(file);
  const fs::path whole = run.directory / "whole";
  execute(config, whole);
  EXPECT_THAT(read_file(whole / "report.md"), HasSubstr("| Bad lines skipped | 1 |"));
  for (const std::int64_t stop : {2, 5, 9}) {
    const fs::path out = run.directory / ("stopped" + std::to_string(stop));
    execute(config, out, false, stop);
    expect_resumes_as(config, out, whole);
  }
}

TEST(Distill, RefusesToGoOnWithFilesThatCameLater) {
  const TinyRun run;
  Json file = run.run_file();
  file["data"]["train"] = "data*.jsonl";
  execute(run.config(file), run.directory / "out", false, 5);
  testing::write_file(run.directory / "data-2.jsonl", "{\"input_ids\": [1]}");
  EXPECT_THAT(
      message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out", true); }),
      HasSubstr("data-2.jsonl was not there when the run began"));
}

// A killed process leaves metrics past its last checkpoint, and something half-written.
TEST(Distill, GoesOnFromTheNewestCheckpointAfterAKill) {
  const TinyRun run;
  const RunConfig config = run.config(run.run_file());
  const fs::path whole = run.directory / "whole", out = run.directory / "killed";
  execute(config, whole);
  execute(config, out, false, 10);
  fs::remove_all(out / "checkpoints" / "step-00000010");
  fs::create_directories(out / "checkpoints" / "step-00000012.staged");
  fs::create_directories(out / "model.staged");
  testing::write_file(out / "metrics.jsonl", read_file(out / "metrics.jsonl") + "{\"step\": 10, ");
  expect_resumes_as(config, out, whole);
  EXPECT_EQ(testing::events_differ({out}), "");
  EXPECT_FALSE(fs::exists(out / "model.staged"));
  EXPECT_FALSE(fs::exists(out / "checkpoints" / "step-00000012.staged"));
}

TEST(Distill, KeepsTheNewestCheckpoints) {
  const TinyRun run;
  Json file = run.run_file();
  file["checkpoint_every"] = 2;
  execute(run.config(file), run.directory / "out");
  const fs::path checkpoints = run.directory / "out" / "checkpoints";
  EXPECT_EQ(newest_checkpoint(checkpoints), checkpoints / "step-00000012");
  EXPECT_TRUE(fs::exists(checkpoints / "step-00000010"));
  EXPECT_EQ(std::distance(fs::directory_iterator(checkpoints), {}), 2);
}

TEST(Distill, NeverOverwritesARun) {
  const TinyRun run;
  const RunConfig config = run.config(run.run_file());
  const fs::path out = run.directory / "out";
  execute(config, out);
  const std::string before = weights(out);
  EXPECT_THAT(message_of<IoError>([&] { execute(config, out); }),
              AllOf(HasSubstr("already holds a run"), HasSubstr("--resume"), HasSubstr("--out")));
  EXPECT_EQ(weights(out), before);
  EXPECT_TRUE(execute(config, out, true).complete);  // only its reports are written again
  EXPECT_EQ(weights(out), before);
  EXPECT_THAT(message_of<IoError>([&] { execute(config, run.directory.path()); }),
              HasSubstr("is not empty"));
  EXPECT_THAT(message_of<IoError>([&] { execute(config, run.directory / "none", true); }),
              HasSubstr("holds no run"));
}

TEST(Distill, RefusesToResumeAnotherRun) {
  const TinyRun run;
  Json file = run.run_file();
  execute(run.config(file), run.directory / "out", false, 5);
  file["optimizer"]["lr"] = 1;
  EXPECT_THAT(
      message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out", true); }),
      HasSubstr("optimizer.lr 0.01 -> 1.0; put them back"));
}

TEST(Distill, OneProcessADirectory) {
  const TinyRun run;
  const RunConfig config = run.config(run.run_file());
  const RunDirectory held =
      RunDirectory::create(run.directory / "out", {.run = config.resolved(),
                                                   .inputs = describe_inputs(config),
                                                   .student_config = Json::object()});
  EXPECT_THAT(message_of<IoError>([&] { execute(config, run.directory / "out", true); }),
              HasSubstr("another process (pid " + std::to_string(::getpid()) + ") is running"));
}

// What a process leaves that was killed before its run.json is no run.
TEST(Distill, ARunThatNeverBeganIsBegunAgain) {
  const TinyRun run;
  const RunConfig config = run.config(run.run_file());
  const fs::path whole = run.directory / "whole", out = run.directory / "out";
  execute(config, whole);
  fs::create_directories(out / "checkpoints");
  for (const char* name : {"lock", "inputs.json", "student_config.json", "run.json.tmp-12-0"}) {
    testing::write_file(out / name, "{");
  }
  EXPECT_TRUE(execute(config, out).complete);
  EXPECT_EQ(weights(out), weights(whole));
  EXPECT_FALSE(fs::exists(out / "run.json.tmp-12-0"));
}

TEST(Distill, GivesUpWithASnapshotWhenNothingIsFinite) {
  const TinyRun run;
  const auto broken = testing::tiny_model(testing::tiny_config(TinyRun::kVocabulary), 1);
  for (const auto& [name, tensor] : broken->state_dict()) Tensor(tensor).fill_(NAN);
  save_model(run.directory / "broken", *broken);
  Json file = run.run_file();
  file["student"] = {{"init", "broken"}};
  file["max_nonfinite_steps"] = 3;
  const fs::path out = run.directory / "out";
  for (const bool resume : {false, true}) {
    EXPECT_THAT(message_of<Error>([&] { execute(run.config(file), out, resume); }),
                AllOf(HasSubstr("step 8: 3 updates in a row were skipped"),
                      HasSubstr((out / "nonfinite").string())));
    EXPECT_EQ(Json::parse(read_file(out / "nonfinite" / "step.json")).at("skipped_updates"), 3);
    EXPECT_EQ(load_model(out / "nonfinite" / "model")->config().vocab_size, TinyRun::kVocabulary);
    const auto batch = SafetensorsFile::open(out / "nonfinite" / "batch.safetensors");
    EXPECT_EQ(batch.tensor("ids").numel(), batch.tensor("labels").numel());
    EXPECT_FALSE(fs::exists(out / "model"));
    EXPECT_EQ(read_metrics(out / "metrics.jsonl").size(), 9u);
  }
}

TEST(Distill, ARunWithoutAnUpdateIsAnError) {
  const TinyRun run;
  const auto broken = testing::tiny_model(testing::tiny_config(TinyRun::kVocabulary), 1);
  for (const auto& [name, tensor] : broken->state_dict()) Tensor(tensor).fill_(NAN);
  save_model(run.directory / "broken", *broken);
  Json file = run.run_file();
  file["student"] = {{"init", "broken"}};
  const fs::path out = run.directory / "out";
  for (const bool resume : {false, true}) {
    EXPECT_THAT(message_of<Error>([&] { execute(run.config(file), out, resume); }),
                AllOf(HasSubstr("step 11: 4 updates in a row were skipped, all of the run's,"),
                      HasSubstr((out / "nonfinite").string())));
    EXPECT_FALSE(fs::exists(out / "model"));
    EXPECT_TRUE(fs::exists(out / "nonfinite" / "model"));
  }
}

// The first update throws the weights out of all bounds; the others are skipped.
TEST(Distill, AModelThatIsNotFiniteIsNotComplete) {
  const TinyRun run;
  Json file = run.run_file();
  file["optimizer"] = {{"lr", 1e38}, {"weight_decay", 1e30}};
  const fs::path out = run.directory / "out";
  std::vector<std::string> warnings;
  EXPECT_THAT(
      message_of<Error>([&] { execute(run.config(file), out, false, -1, &warnings); }),
      AllOf(HasSubstr("the student's weights are not finite ("), HasSubstr("no model is written")));
  EXPECT_FALSE(fs::exists(out / "model"));
  ASSERT_FALSE(warnings.empty());
  EXPECT_THAT(warnings.back(), HasSubstr("3 of 4 updates were skipped"));
}

TEST(Distill, WarnsOfOtherThreads) {
  const TinyRun run;
  const RunConfig config = run.config(run.run_file());
  const fs::path out = run.directory / "out";
  execute(config, out, false, 5);
  Json environment = Json::parse(read_file(out / "environment.json"));
  environment["threads"] = 77;
  testing::write_file(out / "environment.json", environment.dump());
  std::vector<std::string> warnings;
  execute(config, out, true, -1, &warnings);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], AllOf(HasSubstr("other threads"), HasSubstr("than before (77)")));
}

TEST(Distill, RefusesWhatDoesNotFitTheMemoryUnlessForced) {
  const TinyRun run;
  Json config = testing::tiny_config(TinyRun::kVocabulary, 1 << 18);
  config["num_hidden_layers"] = 1000;
  testing::write_file(run.directory / "huge.json", config.dump());
  Json file = run.run_file();
  file["student"]["config"] = "huge.json";
  EXPECT_THAT(message_of<Error>([&] { execute(run.config(file), run.directory / "out"); }),
              AllOf(HasSubstr("memory: the run needs about"), HasSubstr("check_memory=false")));
  EXPECT_FALSE(fs::exists(run.directory / "out"));
}

TEST(Distill, BadInputLeavesNoRunBehind) {
  const TinyRun run;
  Json file = run.distillation_file();
  file["experts"][1]["model"] = "gone";
  EXPECT_THAT(message_of<Error>([&] { execute(run.config(file), run.directory / "out"); }),
              HasSubstr("gone"));
  const TinyRun wide(60);
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { execute(wide.config(wide.distillation_file()), run.directory / "out"); }),
              HasSubstr("expert one: its vocabulary has 60 entries, the student's 50"));
  testing::write_file(run.directory / "data.jsonl", "{\"input_ids\": [1]}\n{\"input_ids\": []}");
  EXPECT_THAT(
      message_of<FormatError>([&] { execute(run.config(run.run_file()), run.directory / "out"); }),
      HasSubstr("data.jsonl:2: the example has no tokens"));
  EXPECT_FALSE(fs::exists(run.directory / "out"));
}

TEST(Distill, StartsFromAModelDirectory) {
  const TinyRun run;
  Json file = run.run_file();
  file["student"] = {{"init", "expert"}};
  file["optimizer"] = {{"lr", 0}, {"weight_decay", 0}};
  execute(run.config(file), run.directory / "out");
  EXPECT_EQ(weights(run.directory / "out"),
            read_file(run.directory / "expert" / "model.safetensors"));
}

TEST(Distill, WarnsOfTensorsThatTheModelItStartsFromHasBeside) {
  const TinyRun run;
  const fs::path start = run.directory / "start";
  fs::copy(run.directory / "expert", start, fs::copy_options::recursive);
  NamedTensors tensors{{"model.layers.2.mtp", Tensor::ones({2})}};
  {
    const auto file = SafetensorsFile::open(start / "model.safetensors");
    for (const SafetensorsEntry& entry : file.entries()) {
      tensors.emplace_back(entry.name, file.tensor(entry.name).clone());
    }
  }
  write_safetensors(start / "model.safetensors", tensors);
  Json file = run.run_file();
  file["student"] = {{"init", "start"}};
  std::vector<std::string> warnings;
  execute(run.config(file), run.directory / "out", /*resume=*/false, /*stop_after=*/-1, &warnings);
  EXPECT_THAT(warnings, ::testing::Contains(HasSubstr("\"model.layers.2.mtp\"")));
}

}  // namespace
}  // namespace gladius::train
