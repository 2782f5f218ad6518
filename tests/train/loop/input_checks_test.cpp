// What a run says of its data and models, and refuses, before it begins.
#include "gladius/train/loop/input_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_of.h"
#include "support/sanitizers.h"
#include "train/run/run_events.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::read_file;
using testing::TinyRun;

TEST(InputChecks, SaysWhatTheCutHasCost) {
  const TinyRun run;
  Json file = run.run_file();
  file["data"] = {{"train", "data.jsonl"}, {"eval", "data.jsonl"}, {"max_seq_len", 4}};
  const fs::path out = run.directory / "out";
  std::vector<std::string> warnings;
  execute(run.config(file), out, false, 5, &warnings);
  const DataCounts expected = Dataset::open({run.directory / "data.jsonl"}, nullptr,
                                            {.max_seq_len = 4, .vocab_size = TinyRun::kVocabulary})
                                  .counts();
  ASSERT_GT(expected.truncated, 0);
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_EQ(warnings[0], "data.train: " + describe(expected, 4));
  EXPECT_EQ(warnings[1], "data.eval: " + describe(expected, 4));
  const std::string before = read_file(out / "data.json");
  EXPECT_TRUE(execute(run.config(file), out, true).complete);
  EXPECT_EQ(read_file(out / "data.json"), before);
  const Json data = Json::parse(before);
  EXPECT_EQ(data.at("train").at("lost_labels"), expected.lost_labels);
  EXPECT_EQ(data.at("eval").at("truncated"), expected.truncated);
  const Json evaluation = Json::parse(read_file(out / "evaluation.json"));
  EXPECT_EQ(evaluation.at("truncated"), expected.truncated);
  EXPECT_EQ(evaluation.at("tokens"), expected.labels);
  EXPECT_THAT(read_file(out / "report.md"),
              HasSubstr("| Labels lost by that | " + std::to_string(expected.lost_labels) + " | " +
                        std::to_string(expected.lost_labels) + " |"));
}

// Of more data than is held in memory the start knows the first examples, the end what was read.
TEST(InputChecks, CountsLargeDataAsItIsRead) {
  if (testing::kSanitized) GTEST_SKIP() << "DatasetTest reads large files";
  const TinyRun run;
  std::string lines;
  for (int i = 0; i < 60'000; ++i) lines += "{\"input_ids\": [1, 2, 3, 4]}\n";
  for (int i = 0; i < 12; ++i) lines = "{\"input_ids\": [1, 2, 3]}\n" + lines;
  testing::write_file(run.directory / "large.jsonl", lines);
  Json file = run.run_file();
  file["data"] = {{"train", "large.jsonl"}, {"max_seq_len", 3}};
  const fs::path out = run.directory / "out";
  std::vector<std::string> warnings;
  execute(run.config(file), out, false, 5, &warnings);
  EXPECT_THAT(warnings.at(0), HasSubstr("data.train, the first of 60,012 lines: "));
  warnings.clear();
  std::vector<std::string> infos;
  distill(run.config(file), out, true,
          {.begin = [](const TrainingPlan&, const TrainerState&) {},
           .step = [](const StepRecord&) {},
           .info = [&](const std::string& text) { infos.push_back(text); },
           .warn = [](const std::string&) {},
           .stop_requested = [] { return false; }});
  EXPECT_THAT(infos, ::testing::Contains("data.train, what was read of 60,012 lines: 12 examples, "
                                         "36 tokens, 24 of them with a label"));
  EXPECT_EQ(Json::parse(read_file(out / "data.json")).at("train").at("complete"), false);
}

TEST(InputChecks, RefusesDataWithoutALabel) {
  const TinyRun run;
  testing::write_file(run.directory / "none.jsonl",
                      "{\"input_ids\": [1, 2], \"labels\": [-100, -100]}\n{\"input_ids\": [3]}\n");
  testing::write_file(run.directory / "late.jsonl",
                      "{\"input_ids\": [1, 2, 3], \"labels\": [-100, -100, 4]}\n");
  const auto failure = [&](Json file, const char* key, const char* data) {
    file["data"][key] = data;
    file["data"]["max_seq_len"] = 2;
    return message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out"); });
  };
  EXPECT_THAT(failure(run.run_file(), "train", "none.jsonl"),
              HasSubstr("data.train: none of its 2 examples has a label (every label is -100), so "
                        "there is nothing to learn from"));
  EXPECT_THAT(failure(run.run_file(), "train", "late.jsonl"),
              HasSubstr("(data.max_seq_len 2 cuts off all 1 of them)"));
  EXPECT_THAT(failure(run.distillation_file(), "eval", "none.jsonl"),
              HasSubstr("data.eval: none of its 2 examples has a label"));
  Json file = run.distillation_file();
  file["loss"] = {{"alpha", 0}};
  EXPECT_THAT(failure(file, "train", "none.jsonl"), HasSubstr("nothing to learn from"));
  EXPECT_FALSE(fs::exists(run.directory / "out"));
  // An expert says something of every token.
  std::vector<std::string> warnings;
  file = run.distillation_file();
  file["data"] = {{"train", "none.jsonl"}};
  EXPECT_TRUE(execute(run.config(file), run.directory / "out", false, -1, &warnings).complete);
  EXPECT_THAT(warnings.at(0), HasSubstr("only the divergence from the experts trains"));
}

TEST(InputChecks, RefusesSequencesBeyondTheModelsPositions) {
  const TinyRun run;
  Json config = testing::tiny_config(TinyRun::kVocabulary);
  config["max_position_embeddings"] = 100;
  testing::write_file(run.directory / "short.json", config.dump());
  Json file = run.distillation_file();
  file["data"]["max_seq_len"] = 101;
  Json with_short = file;
  with_short["student"]["config"] = "short.json";
  const fs::path out = run.directory / "out";
  EXPECT_THAT(message_of<ConfigError>([&] { execute(run.config(with_short), out); }),
              AllOf(HasSubstr("data.max_seq_len is 101, but the student has "
                              "max_position_embeddings 100; set data.max_seq_len to at most 100")));
  file["data"]["max_seq_len"] = 2049;
  file["student"]["config"] = "long.json";
  config["max_position_embeddings"] = 4096;
  testing::write_file(run.directory / "long.json", config.dump());
  EXPECT_THAT(message_of<ConfigError>([&] { execute(run.config(file), out); }),
              HasSubstr("but expert one has max_position_embeddings 2048"));
  config["max_position_embeddings"] = 100;
  config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 2}};
  testing::write_file(run.directory / "short.json", config.dump());
  with_short["data"]["max_seq_len"] = 200;
  EXPECT_TRUE(execute(run.config(with_short), out).complete);
  with_short["data"]["max_seq_len"] = 201;
  EXPECT_THAT(
      message_of<ConfigError>([&] { execute(run.config(with_short), run.directory / "b"); }),
      HasSubstr("max_position_embeddings 100, extended to 200 by its rope scaling"));
}

// As a run file names them: the student's and the second expert's.
TEST(InputChecks, ComparesTokenizersBeforeTheWork) {
  const TinyRun run;
  testing::write_tiny_tokenizer(run.directory / "tokenizer");
  testing::write_file(run.directory / "wide.json", testing::tiny_config(265).dump());
  const auto expert = testing::tiny_model(testing::tiny_config(265, 24), 7);
  for (const char* name : {"equal", "other", "bare"}) save_model(run.directory / name, *expert);
  testing::write_tiny_tokenizer(run.directory / "equal");
  testing::write_tiny_tokenizer(run.directory / "other");
  Json other = Json::parse(read_file(run.directory / "other" / "tokenizer.json"));
  other["model"]["vocab"]["b"] = 262;
  other["model"]["vocab"]["c"] = 261;
  testing::write_file(run.directory / "other" / "tokenizer.json", other.dump());
  Json file = run.run_file();
  file.erase("steps");
  file["student"] = {{"config", "wide.json"}, {"tokenizer", "tokenizer"}};
  file["experts"] = {{{"model", "equal"}, {"steps", 3}}, {{"model", "other"}, {"steps", 3}}};
  EXPECT_THAT(message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out"); }),
              HasSubstr("expert other: data given as ids has no text"));
  file["experts"][1]["vocabulary"] = "same";
  EXPECT_THAT(
      message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out"); }),
      AllOf(HasSubstr("expert other: its tokenizer is another than the student's: token 261 "
                      "is \"b\" in the student's"),
            HasSubstr("and \"c\" in the expert's")));
  EXPECT_FALSE(fs::exists(run.directory / "out"));
  file["experts"][1]["vocabulary"] = "truncate";
  std::vector<std::string> warnings;
  EXPECT_TRUE(execute(run.config(file), run.directory / "out", false, -1, &warnings).complete);
  EXPECT_THAT(warnings.at(0), HasSubstr("compares the first 265 entries of both, of which 263 mean "
                                        "the same text under the same id"));
  file["experts"][1] = {{"model", "bare"}, {"steps", 3}};  // nothing to compare
  EXPECT_TRUE(execute(run.config(file), run.directory / "out2").complete);
}

// A kind that is not supported may be any: the sizes say little, so it takes a word of the user's.
TEST(InputChecks, ATokenizerThatCannotBeComparedIsNotTheSame) {
  const TinyRun run;
  testing::write_tiny_tokenizer(run.directory / "tokenizer");
  testing::write_file(run.directory / "wide.json", testing::tiny_config(265).dump());
  save_model(run.directory / "odd", *testing::tiny_model(testing::tiny_config(265, 24), 7));
  testing::write_tiny_tokenizer(run.directory / "odd");
  Json odd = Json::parse(read_file(run.directory / "odd" / "tokenizer.json"));
  odd["model"]["type"] = "Unigram";
  testing::write_file(run.directory / "odd" / "tokenizer.json", odd.dump());
  Json file = run.run_file();
  file.erase("steps");
  file["student"] = {{"config", "wide.json"}, {"tokenizer", "tokenizer"}};
  file["experts"] = {{{"model", "odd"}, {"steps", 3}}};
  EXPECT_THAT(message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out"); }),
              AllOf(HasSubstr("expert odd: its tokenizer cannot be compared with the student's"),
                    HasSubstr("Unigram"), HasSubstr("set \"vocabulary\" to \"truncate\"")));
  EXPECT_FALSE(fs::exists(run.directory / "out"));
  file["experts"][0]["vocabulary"] = "truncate";
  std::vector<std::string> warnings;
  EXPECT_TRUE(execute(run.config(file), run.directory / "out", false, -1, &warnings).complete);
  EXPECT_THAT(warnings.at(0), HasSubstr("whether they mean the same text is not known"));
}

}  // namespace
}  // namespace gladius::train
