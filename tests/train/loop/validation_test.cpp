#include "gladius/train/loop/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <sstream>

#include "gladius/train/distill.h"
#include "support/message_of.h"
#include "train/run/run_events.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using ::testing::Not;
using testing::read_file;
using testing::timeless_metrics;
using testing::TinyRun;
using testing::weights;

class ValidationTest : public ::testing::Test {
 protected:
  ValidationTest() { write_data("eval.jsonl", 5, 6, 9); }

  // Four examples of so many tokens.
  void write_data(const char* name, std::uint64_t seed, std::int64_t least,
                  std::int64_t most) const {
    testing::Rng rng(seed);
    testing::write_file(run_.directory / name, testing::as_jsonl(testing::learnable_examples(
                                                   rng, 4, least, most, TinyRun::kVocabulary)));
  }
  // Held-out examples that take several forward passes, between which an evaluation can be stopped.
  void evaluate_in_passes() const { write_data("eval.jsonl", 5, 260, 270); }

  // The experts' file of TinyRun, 13 steps, evaluated after 4, 8, 12 and 13.
  Json file() const {
    Json file = run_.distillation_file();
    file["data"]["eval"] = "eval.jsonl";
    file["eval_every"] = 4;
    return file;
  }
  fs::path out(const std::string& name = "out") const { return run_.directory / name; }

  // Asks to stop at the given question; 0: never. What `stop` throws comes out.
  RunOutcome stop_at(const RunConfig& config, const fs::path& out, bool resume, int question,
                     std::vector<std::string>* told = nullptr) const {
    int asked = 0;
    const auto tell = [&](const std::string& text) {
      if (told) told->push_back(text);
    };
    return distill(config, out, resume,
                   {.begin = [](const auto&, const auto&) {},
                    .step = [](const auto&) {},
                    .info = tell,
                    .warn = tell,
                    .stop_requested = [&] { return ++asked == question; }});
  }

  static std::vector<std::int64_t> evaluated(const fs::path& out) {
    std::vector<std::int64_t> steps;
    for (const StepRecord& record : read_metrics(out / "metrics.jsonl")) {
      if (record.evaluation) steps.push_back(record.step);
    }
    return steps;
  }

  Evaluation evaluation_of(const LanguageModel& model) const {
    return *evaluate(model, Dataset::open({run_.directory / "eval.jsonl"}, nullptr,
                                          {.vocab_size = TinyRun::kVocabulary}));
  }
  // Of the checkpoint after so many steps.
  std::unique_ptr<LanguageModel> student_after(const fs::path& out, std::int64_t steps) const {
    auto model = make_language_model(ModelConfig::load(out / "student_config.json"));
    model->load_state_dict(load_checkpoint(out / "checkpoints" / fmt_step(steps)).weights);
    return model;
  }
  static std::string fmt_step(std::int64_t steps) {
    const std::string digits = std::to_string(steps);
    return "step-" + std::string(8 - digits.size(), '0') + digits;
  }

  TinyRun run_;
};

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
  EXPECT_TRUE(fs::exists(out() / "checkpoints" / fmt_step(8)));
  EXPECT_EQ(read_metrics(out() / "metrics.jsonl").size(), 7u);
  EXPECT_TRUE(execute(config, out(), true).complete);
  EXPECT_EQ(timeless_metrics(out()), timeless_metrics(out("whole")));
}

TEST_F(ValidationTest, KeepsTheStudentOfTheLowestCrossEntropy) {
  Json kept = file();
  kept["keep_best"] = true;
  kept["eval_every"] = kept["checkpoint_every"] = 1;
  kept["keep_checkpoints"] = 100;
  kept["optimizer"] = {{"lr", 0.1}};  // too much: it does not only get better
  execute(run_.config(kept), out());
  double lowest = INFINITY;
  std::int64_t step = -1;
  for (const StepRecord& record : read_metrics(out() / "metrics.jsonl")) {
    if (record.evaluation->cross_entropy >= lowest) continue;
    lowest = record.evaluation->cross_entropy;
    step = record.step;
  }
  ASSERT_NE(step, 12);
  const Json best = Json::parse(read_file(out() / "best" / "evaluation.json"));
  EXPECT_EQ(best.at("step"), step);
  EXPECT_EQ(best.at("cross_entropy"), lowest);
  EXPECT_EQ(evaluation_of(*load_model(out() / "best")).cross_entropy, lowest);
  EXPECT_EQ(evaluation_of(*student_after(out(), step + 1)).cross_entropy, lowest);
}

TEST_F(ValidationTest, ABestThatIsGoneOrOfOtherDataCountsForNothing) {
  Json kept = file();
  kept["keep_best"] = true;
  const auto best_step = [&] {
    return Json::parse(read_file(out() / "best" / "evaluation.json")).at("step").get<int>();
  };
  execute(run_.config(kept), out(), false, 5);
  ASSERT_EQ(best_step(), 3);
  fs::remove_all(out() / "best");
  kept["eval_every"] = 6;
  execute(run_.config(kept), out(), true, 7);
  EXPECT_EQ(best_step(), 5);
  // On these ids the student is far worse, and the evaluation counts all the same.
  testing::write_file(run_.directory / "other.jsonl",
                      R"({"input_ids": [1, 1, 1, 1], "labels": [7, 9, 7, 9]})"
                      "\n");
  kept["data"]["eval"] = "other.jsonl";
  kept["eval_every"] = 9;
  execute(run_.config(kept), out(), true, 10);
  EXPECT_EQ(best_step(), 8);
}

// What a run comes to, but for what the clock decides.
void expect_same_results(const fs::path& run, const fs::path& other) {
  EXPECT_EQ(weights(run), weights(other));
  EXPECT_EQ(timeless_metrics(run), timeless_metrics(other));
  EXPECT_EQ(testing::events_differ({run}), "");
  for (const char* name : {"evaluation.json", "expert_evaluations.json", "data.json"}) {
    ASSERT_EQ(fs::exists(run / name), fs::exists(other / name)) << name;
    if (fs::exists(run / name)) {
      EXPECT_EQ(read_file(run / name), read_file(other / name)) << name;
    }
  }
  const auto about_evaluations = [](const fs::path& report) {
    std::string lines;
    std::istringstream in(read_file(report / "report.md"));
    for (std::string line; std::getline(in, line);) {
      for (const char* part : {"Evaluation: ", "| student", "| expert", "evaluations</summary>"}) {
        if (line.find(part) != std::string::npos) lines += line + "\n";
      }
    }
    return lines;
  };
  EXPECT_EQ(about_evaluations(run), about_evaluations(other));
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

TEST_F(ValidationTest, ABestThatIsNotTheRunsIsTold) {
  Json kept = file();
  kept["keep_best"] = true;
  execute(run_.config(kept), out("stopped"), false, 10);
  const auto break_best = [&](const std::function<void(const fs::path&)>& harm) {
    fs::remove_all(out());
    fs::copy(out("stopped"), out(), fs::copy_options::recursive);
    harm(out() / "best");
    std::vector<std::string> warnings;
    execute(run_.config(kept), out(), true, 10, &warnings);
    return warnings;
  };
  const auto patch = [](const fs::path& file, const char* key, const Json& value) {
    Json json = Json::parse(read_file(file));
    json[key] = value;
    testing::write_file(file, json.dump());
  };
  EXPECT_THAT(break_best([](const fs::path&) {}), ::testing::IsEmpty());
  for (const auto& [what, harm] :
       std::vector<std::pair<const char*, std::function<void(const fs::path&)>>>{
           {"it is gone", [](const fs::path& best) { fs::remove_all(best); }},
           {"evaluation.json cannot be read",
            [](const fs::path& best) { testing::write_file(best / "evaluation.json", "[1"); }},
           {"config.json is missing",
            [](const fs::path& best) { fs::remove(best / "config.json"); }},
           {"model.safetensors is not the file that the run wrote",
            [](const fs::path& best) { fs::resize_file(best / "model.safetensors", 99); }},
           {"says otherwise what that came to",
            [&](const fs::path& best) { patch(best / "evaluation.json", "cross_entropy", 0.5); }},
           {"it is of step 1, not 7",
            [&](const fs::path& best) { patch(best / "evaluation.json", "step", 1); }},
           {"has the student of step 8, which this run does not evaluate",
            [&](const fs::path& best) { patch(best / "evaluation.json", "step", 8); }}}) {
    EXPECT_THAT(break_best(harm), ElementsAre(HasSubstr(what)));
  }
  EXPECT_THAT(break_best([&](const fs::path& best) {  // it is made again
                patch(best / "evaluation.json", "step", 11);
              }),
              ::testing::IsEmpty());
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

TEST_F(ValidationTest, PutsTheExpertsBesideTheStudent) {
  Json twice = file();
  twice["experts"][1]["vocabulary"] = "truncate";
  std::vector<std::string> told;
  stop_at(run_.config(twice), out(), false, 0, &told);
  const Json recorded = Json::parse(read_file(out() / "expert_evaluations.json"));
  ASSERT_EQ(recorded.at("experts").size(), 1u);
  const Json& expert = recorded.at("experts").at(0);
  const Evaluation expected = evaluation_of(*load_model(run_.directory / "expert"));
  EXPECT_EQ(expert.at("expert"), "one");
  EXPECT_EQ(expert.at("cross_entropy"), expected.cross_entropy);
  EXPECT_EQ(expert.at("perplexity"), expected.perplexity);
  EXPECT_EQ(expert.at("tokens"), expected.tokens);
  EXPECT_THAT(told, ::testing::Contains(AllOf(HasSubstr("evaluation: cross-entropy "),
                                              HasSubstr("tokens (max_seq_len 512, loss_on all)"),
                                              HasSubstr("; expert one: cross-entropy "))));
  EXPECT_THAT(read_file(out() / "report.md"),
              AllOf(HasSubstr("| Model | Cross-entropy | Perplexity | Bits per byte | Tokens |"),
                    HasSubstr("| student, trained | "), HasSubstr("| expert one | "),
                    HasSubstr("loss\\_on all, examples cut at 512 tokens"),
                    HasSubstr("<summary>4 evaluations</summary>"), Not(HasSubstr("best/"))));
  EXPECT_THAT(read_file(out() / "report.html"),
              AllOf(HasSubstr("<b>Cross-entropy</b>"), HasSubstr("<td>expert one</td>")));
}

TEST_F(ValidationTest, AnExpertThatTeachesTwiceIsEvaluatedOnce) {
  int evaluated = 0;
  distill(run_.config(file()), out(), false,
          {.begin = [](const auto&, const auto&) {},
           .step = [](const auto&) {},
           .info = [](const auto&) {},
           .warn = [](const auto&) {},
           .stop_requested = [] { return false; },
           .evaluating = [&](const std::string& what) { evaluated += what != "student"; }});
  EXPECT_EQ(evaluated, 1);
  Json experts = Json::parse(read_file(out() / "expert_evaluations.json")).at("experts");
  ASSERT_EQ(experts.size(), 2u);
  EXPECT_EQ(experts[0].at("expert"), "one");
  EXPECT_EQ(experts[1].at("expert"), "two");
  for (Json& expert : experts) expert.erase("expert");
  EXPECT_EQ(experts[0], experts[1]);
}

TEST_F(ValidationTest, MayBeStoppedWhileAnExpertIsEvaluated) {
  evaluate_in_passes();
  const RunConfig config = run_.config(file());
  const RunOutcome stopped = stop_at(config, out(), false, 1);
  EXPECT_FALSE(stopped.complete);
  EXPECT_EQ(stopped.steps, 0);
  EXPECT_TRUE(execute(config, out(), true).complete);
  EXPECT_TRUE(fs::exists(out() / "expert_evaluations.json"));
  execute(config, out("whole"));
  EXPECT_EQ(weights(out()), weights(out("whole")));
}

}  // namespace
}  // namespace gladius::train
