#include "gladius/train/loop/suite_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/models/model_directory.h"
#include "support/message_of.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::read_file;
using testing::write_file;

// A small student with the default run's tokenizer, and a suite that it can learn by heart.
class SuiteCheckTest : public ::testing::Test {
 protected:
  SuiteCheckTest() {
    write_file(path("student.json"), Json{{"architectures", {"LlamaForCausalLM"}},
                                          {"vocab_size", 4096},
                                          {"hidden_size", 32},
                                          {"intermediate_size", 48},
                                          {"num_hidden_layers", 1},
                                          {"num_attention_heads", 2},
                                          {"num_key_value_heads", 2},
                                          {"eos_token_id", 2},
                                          {"max_position_embeddings", 512}}
                                         .dump());
    std::string data, suite;
    const char* answers[] = {"yes", "no", "blue"};
    for (int i = 0; i < 3; ++i) {
      const Json question{{"role", "user"}, {"content", "question " + std::to_string(i)}};
      const Json answer{{"role", "assistant"}, {"content", answers[i]}};
      data += Json{{"messages", {question, answer}}}.dump() + "\n";
      suite += Json{{"id", std::to_string(i)},
                    {"category", i == 0 ? "first" : "others"},
                    {"messages", {question}},
                    {"expect", {{"text", {answers[i]}}}}}
                   .dump() +
               "\n";
    }
    write_file(path("data.jsonl"), data);
    write_file(path("suite.jsonl"), suite);
  }

  std::filesystem::path path(const std::string& name) const { return directory_ / name; }
  Json file() const {
    return {{"student",
             {{"config", "student.json"},
              {"tokenizer", std::string(GLADIUS_SOURCE_DIR) + "/configs/default/tokenizer"}}},
            {"data", {{"train", "data.jsonl"}, {"loss_on", "assistant"}}},
            {"optimizer", {{"lr", 0.02}}},
            {"gradient_accumulation", 1},
            {"steps", 60},
            {"eval_suite", "suite.jsonl"},
            {"eval_every", 25},
            {"checkpoint_every", 20}};
  }
  RunConfig config(const Json& file) const {
    write_file(path("run.json"), file.dump());
    return RunConfig::load(path("run.json"));
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(SuiteCheckTest, TheStudentAnswersWhileItTrains) {
  Json without = file();
  without.erase("eval_suite");
  without.erase("eval_every");
  execute(config(without), path("without"));
  execute(config(file()), path("with"));
  EXPECT_EQ(testing::weights(path("with")), testing::weights(path("without")));
  EXPECT_FALSE(std::filesystem::exists(path("without/suite.json")));

  std::vector<std::int64_t> asked;
  StepSuite last;
  for (const StepRecord& record : read_metrics(path("with/metrics.jsonl"))) {
    if (!record.suite) continue;
    asked.push_back(record.step);
    last = *record.suite;
  }
  EXPECT_EQ(asked, (std::vector<std::int64_t>{24, 49, 59}));
  EXPECT_EQ(last.cases, 3);
  EXPECT_EQ(last.calls, 0);
  EXPECT_GE(last.all_right, 1);  // by heart

  const Json suite = Json::parse(read_file(path("with/suite.json")));
  EXPECT_EQ(suite["all_right"], last.all_right);
  ASSERT_EQ(suite["answers"].size(), 3u);
  const auto model = load_model(path("with/model"));
  const auto tokenizer = text::Tokenizer::load(path("with/model"));
  for (const Json& answer : suite["answers"]) {
    const std::string prompt =
        "<|user|>\nquestion " + answer["id"].get<std::string>() + "</s>\n<|assistant|>\n";
    std::vector<std::int32_t> ids =
        generate(*model, tokenizer.encode(prompt, /*add_special_tokens=*/false),
                 {.sampling = {.greedy = true}, .max_new_tokens = 256, .eos_token_ids = {2}});
    if (!ids.empty() && ids.back() == 2) ids.pop_back();
    EXPECT_EQ(answer["output"], tokenizer.decode(ids));
  }
  const std::string report = read_file(path("with/report.md"));
  EXPECT_THAT(report, HasSubstr("| others"));
  EXPECT_THAT(report, HasSubstr(std::to_string(last.all_right) + " of 3"));
  EXPECT_THAT(report, HasSubstr("3 times asked"));
}

// What it scores is what it scored as a student.
TEST_F(SuiteCheckTest, AnExpertAnswersBesideTheStudent) {
  execute(config(file()), path("expert"));
  Json other = file();
  other.erase("steps");
  const Json expert{{"name", "one"}, {"model", "expert"}, {"steps", 2}};
  other["experts"] = {expert, expert};
  other["experts"][1]["name"] = "again";
  execute(config(other), path("out"));
  Json alone = Json::parse(read_file(path("expert/suite.json")));
  const Json beside = Json::parse(read_file(path("out/suite.json")));
  EXPECT_FALSE(alone.contains("experts"));
  ASSERT_EQ(beside["experts"].size(), 1u);  // the same model is asked once
  EXPECT_EQ(beside["experts"][0]["expert"], "one");
  alone.erase("answers");
  for (const auto& [key, value] : alone.items()) EXPECT_EQ(beside["experts"][0][key], value) << key;
  const std::string report = read_file(path("out/report.md"));
  EXPECT_THAT(report, HasSubstr("Expert one"));
  EXPECT_THAT(report, HasSubstr(" " + alone["all_right"].dump() + " of 3 |"));
}

TEST_F(SuiteCheckTest, AStopAtAnyTimeChangesNothing) {
  const RunConfig run = config(file());
  execute(run, path("whole"));
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  bool complete = false;
  for (int stops = 0; !complete; ++stops) {
    ASSERT_LT(stops, 100);
    int left = static_cast<int>(testing::random_int(rng, 3, 30));
    complete =
        distill(run, path("stopped"), stops > 0, {.stop_requested = [&] { return --left == 0; }})
            .complete;
  }
  EXPECT_EQ(testing::weights(path("stopped")), testing::weights(path("whole")));
  EXPECT_EQ(testing::timeless_metrics(path("stopped")), testing::timeless_metrics(path("whole")));
  EXPECT_EQ(read_file(path("stopped/suite.json")), read_file(path("whole/suite.json")));
}

TEST_F(SuiteCheckTest, WhatIsWrongShowsBeforeTheRun) {
  const auto fails = [&](const Json& file) {
    const std::string message = message_of<Error>([&] { execute(config(file), path("out")); });
    EXPECT_FALSE(std::filesystem::exists(path("out")));
    return message;
  };
  Json ids = file();
  ids["student"]["tokenizer"] = nullptr;
  ids["data"]["loss_on"] = "all";
  write_file(path("ids.jsonl"), "{\"input_ids\": [1, 2, 3]}\n");
  ids["data"]["train"] = "ids.jsonl";
  EXPECT_THAT(fails(ids), HasSubstr("student.tokenizer, which is null"));
  write_file(path("suite.jsonl"), "{\"id\": \"1\"}\n");
  EXPECT_THAT(fails(file()), HasSubstr("suite.jsonl:1: there is no"));
  Json missing = file();
  missing["eval_suite"] = "nowhere.jsonl";
  EXPECT_THAT(fails(missing), HasSubstr("nowhere.jsonl"));
}

}  // namespace
}  // namespace gladius::train
