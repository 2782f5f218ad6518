#include "gladius/train/loop/best_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_of.h"
#include "train/loop/validation_fixture.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::read_file;

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

}  // namespace
}  // namespace gladius::train
