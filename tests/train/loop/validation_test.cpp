#include "gladius/train/loop/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "support/message_of.h"
#include "train/loop/validation_fixture.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::read_file;
using testing::timeless_metrics;
using testing::TinyRun;
using testing::weights;

TEST_F(ValidationTest, IsOfTheStudentAfterTheSteps) {
  Json all = file();
  all["checkpoint_every"] = 1;
  all["keep_checkpoints"] = 100;
  execute(run_.config(all), out());
  EXPECT_THAT(evaluated(out()), ElementsAre(3, 7, 11, 12));
  for (const StepRecord& record : read_metrics(out() / "metrics.jsonl")) {
    if (!record.evaluation) continue;
    const Evaluation expected = evaluation_of(*student_after(out(), record.step + 1));
    EXPECT_EQ(record.evaluation->cross_entropy, expected.cross_entropy);
    EXPECT_EQ(record.evaluation->perplexity, std::exp(expected.cross_entropy));
    EXPECT_EQ(record.evaluation->tokens, expected.tokens);
  }
  const Json last = Json::parse(read_file(out() / "evaluation.json"));
  EXPECT_EQ(last.at("cross_entropy"), evaluation_of(*load_model(out() / "model")).cross_entropy);
  EXPECT_EQ(last.at("max_seq_len"), 512);
  EXPECT_EQ(last.at("loss_on"), "all");
}

TEST_F(ValidationTest, WithoutEvalEveryItIsOnlyAtTheEnd) {
  Json none = file();
  none.erase("eval_every");
  execute(run_.config(none), out());
  EXPECT_THAT(evaluated(out()), ElementsAre(12));
}

TEST_F(ValidationTest, DisturbsNothing) {
  execute(run_.config(run_.distillation_file()), out("without"));
  Json every = file();
  every["eval_every"] = 1;
  every["keep_best"] = true;
  execute(run_.config(every), out("with"));
  EXPECT_EQ(weights(out("with")), weights(out("without")));
  const auto with = read_metrics(out("with") / "metrics.jsonl");
  const auto without = read_metrics(out("without") / "metrics.jsonl");
  ASSERT_EQ(with.size(), without.size());
  for (std::size_t i = 0; i < with.size(); ++i) EXPECT_EQ(with[i].loss, without[i].loss);
}

// A stop at any question: after a step, or between two passes of an evaluation.
TEST_F(ValidationTest, GoesOnToTheBitAfterAStopAtAnyTime) {
  evaluate_in_passes();
  Json kept = file();
  kept["keep_best"] = true;
  const RunConfig config = run_.config(kept);
  execute(config, out("whole"));
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  for (int trial = 0; trial < 4; ++trial) {
    const fs::path stopped = out("stopped" + std::to_string(trial));
    bool complete = false;
    int stops = 0;
    for (; !complete; ++stops) {
      const int question = static_cast<int>(testing::random_int(rng, 2, 20));
      complete = stop_at(config, stopped, stops > 0, question).complete;
      ASSERT_LT(stops, 60);
    }
    EXPECT_EQ(weights(stopped), weights(out("whole")));
    EXPECT_EQ(timeless_metrics(stopped), timeless_metrics(out("whole")));
    EXPECT_EQ(testing::events_differ({stopped}), "");
    for (const char* name : {"evaluation.json", "expert_evaluations.json", "best/evaluation.json",
                             "best/model.safetensors"}) {
      EXPECT_EQ(read_file(stopped / name), read_file(out("whole") / name)) << name;
    }
  }
}

TEST_F(ValidationTest, AFailureToEvaluateCostsNoTraining) {
  const RunConfig config = run_.config(file());
  execute(config, out("whole"));
  int evaluations = 0;
  EXPECT_EQ(message_of<IoError>([&] {
              distill(config, out(), false,
                      {.begin = [](const auto&, const auto&) {},
                       .step = [](const auto&) {},
                       .info = [](const auto&) {},
                       .warn = [](const auto&) {},
                       .stop_requested = [] { return false; },
                       .evaluating =
                           [&](const std::string& what) {
                             if (what == "student" && ++evaluations == 2) throw IoError("no disk");
                           }});
            }),
            "no disk");
  EXPECT_TRUE(fs::exists(out() / "checkpoints" / testing::checkpoint_name(8)));
  EXPECT_EQ(read_metrics(out() / "metrics.jsonl").size(), 7u);
  EXPECT_TRUE(execute(config, out(), true).complete);
  EXPECT_EQ(timeless_metrics(out()), timeless_metrics(out("whole")));
}

// Whether the end of the shorter one was also due, or not; and by way of a stop.
TEST_F(ValidationTest, ALongerRunHasTheEvaluationsOfOneThatHadThatLengthFromTheStart) {
  for (const int every : {0, 4, 13}) {
    SCOPED_TRACE(every);
    const fs::path run = out(std::to_string(every)), whole = out("whole" + std::to_string(every));
    Json file_of = file();
    file_of["eval_every"] = every;
    file_of["optimizer"] = {{"lr", 0.01}};
    execute(run_.config(file_of), run);
    const Json before = Json::parse(read_file(run / "evaluation.json"));
    file_of["experts"][1]["steps"] = 11;
    execute(run_.config(file_of), run, true, 15);
    EXPECT_THAT(read_file(run / "run.json"), HasSubstr("\"steps\": 11"));
    execute(run_.config(file_of), run, true);
    execute(run_.config(file_of), whole);
    expect_same_results(run, whole);
    EXPECT_NE(Json::parse(read_file(run / "evaluation.json")), before);
  }
}

TEST_F(ValidationTest, ACompleteRunIsEvaluatedOnTheDataThatItsFileNamesNow) {
  write_data("other.jsonl", 6, 6, 9);
  Json file_of = file();
  file_of["eval_every"] = 0;
  execute(run_.config(file_of), out());
  const auto expect_as_from_the_start = [&] {
    std::vector<std::string> warnings;
    EXPECT_TRUE(execute(run_.config(file_of), out(), true, -1, &warnings).complete);
    EXPECT_THAT(warnings, ::testing::IsEmpty());
    fs::remove_all(out("whole"));
    execute(run_.config(file_of), out("whole"));
    expect_same_results(out(), out("whole"));
  };
  file_of["data"]["eval"] = "other.jsonl";
  expect_as_from_the_start();
  EXPECT_EQ(Json::parse(read_file(out() / "evaluation.json"))["cross_entropy"],
            evaluate(*load_model(out() / "model"),
                     Dataset::open({run_.directory / "other.jsonl"}, nullptr,
                                   {.vocab_size = TinyRun::kVocabulary}))
                ->cross_entropy);
  write_data("other.jsonl", 7, 6, 9);  // the name is the same
  expect_as_from_the_start();
  for (const char* text : {"", "[1", "[]"}) {
    testing::write_file(out() / "evaluation.json", text);
    expect_as_from_the_start();
  }
  file_of["data"]["eval"] = nullptr;
  expect_as_from_the_start();
  EXPECT_FALSE(fs::exists(out() / "evaluation.json"));
  file_of["data"]["eval"] = "eval.jsonl";
  expect_as_from_the_start();
  // Nothing is done again where nothing has changed.
  const std::string timeline = read_file(out() / "timeline.jsonl");
  expect_as_from_the_start();
  EXPECT_EQ(read_file(out() / "timeline.jsonl"), timeline);
}

TEST_F(ValidationTest, WithoutACheckpointAnEvaluationOfOtherDataIsTold) {
  write_data("other.jsonl", 6, 6, 9);
  Json file_of = file();
  execute(run_.config(file_of), out());
  fs::remove_all(out() / "checkpoints");
  file_of["data"]["eval"] = "other.jsonl";
  std::vector<std::string> warnings;
  EXPECT_TRUE(execute(run_.config(file_of), out(), true, -1, &warnings).complete);
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("evaluation.json is not of data.eval"),
                                          HasSubstr("gladius eval --model"))));
}

// The data may be gone from the run file while an evaluation waits.
TEST_F(ValidationTest, AStopWhileAnEvaluationIsDueGoesOnWithoutItsData) {
  Json file_of = file();
  file_of["checkpoint_every"] = 1;
  constexpr int kAfterTheFourthStep = 8;
  EXPECT_EQ(stop_at(run_.config(file_of), out(), false, kAfterTheFourthStep).steps, 4);
  ASSERT_EQ(read_metrics(out() / "metrics.jsonl").size(), 3u);
  file_of["data"].erase("eval");
  file_of.erase("eval_every");
  execute(run_.config(file_of), out(), true);
  execute(run_.config(file_of), out("whole"));
  expect_same_results(out(), out("whole"));
}

// Those of another run on the same data, whole and readable.
TEST_F(ValidationTest, EvaluationsThatACompleteRunHasNotWrittenAreMadeAgain) {
  Json kept = file();
  kept["keep_best"] = true;
  execute(run_.config(kept), out());
  execute(run_.config(kept), out("whole"));
  Json others = kept;
  others["seed"] = 5;
  others["optimizer"] = {{"lr", 0.02}};
  execute(run_.config(others), out("other"));
  const auto resume = [&] {
    std::vector<std::string> warnings;
    EXPECT_TRUE(execute(run_.config(kept), out(), true, -1, &warnings).complete);
    return warnings;
  };
  for (const char* name : {"evaluation.json", "expert_evaluations.json"}) {
    Json foreign = Json::parse(read_file(out("other") / name));
    (foreign.contains("experts") ? foreign["experts"][0] : foreign)["perplexity"] = 1.5;
    testing::write_file(out() / name, foreign.dump(2) + "\n");
    EXPECT_THAT(resume(), ElementsAre(AllOf(
                              HasSubstr(std::string(name) + " is not the file that the run wrote"),
                              HasSubstr("are evaluated again"))));
    expect_same_results(out(), out("whole"));
    EXPECT_THAT(resume(), ::testing::IsEmpty());
  }
  fs::remove_all(out() / "best");
  fs::copy(out("other") / "best", out() / "best", fs::copy_options::recursive);
  EXPECT_THAT(resume(), ElementsAre(HasSubstr("best is not what the run has written there")));
}

}  // namespace
}  // namespace gladius::train
