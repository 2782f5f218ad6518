// `gladius distill` from outside: the files it leaves, the memory it takes, what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "gladius/train/run/memory.h"
#include "program/run_program.h"
#include "support/sanitizers.h"
#include "train/tiny_models.h"

namespace gladius {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::ProgramResult;
using testing::read_file;
using ::testing::StartsWith;
using testing::TinyRun;
using testing::write_file;

class DistillProgram : public ::testing::Test {
 protected:
  fs::path path(const char* name) const { return inputs_.directory / name; }

  ProgramResult distill(const Json& run, const std::vector<std::string>& more = {}) const {
    write_file(path("run.json"), run.dump());
    std::vector<std::string> arguments{"distill",     path("run.json"), "--out",
                                       path("out"),   "--threads",      "2",
                                       "--log-level", "warning"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return testing::run_program(inputs_.directory.path(), arguments);
  }
  // One line.
  void expect_failure(const ProgramResult& result, const std::string& what) const {
    EXPECT_EQ(result.code, 1);
    EXPECT_THAT(result.err, AllOf(StartsWith("gladius: error: "), HasSubstr(what)));
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  }

  TinyRun inputs_;
};

TEST_F(DistillProgram, PrintsTheKeysOfTheRunFile) {
  const auto run = [&](const std::vector<std::string>& arguments) {
    return testing::run_program(inputs_.directory.path(), arguments);
  };
  const ProgramResult text = run({"distill", "--keys"}),
                      json = run({"distill", "--keys", "--json"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out,
              HasSubstr("data.max_seq_len\n    a whole number from 1 to 4194304; default 512\n"));
  EXPECT_THAT(text.out, HasSubstr("log_every\n    a whole number, at least 1; default 10; --resume "
                                  "may change it\n"));
  bool found = false;
  for (const Json& key : Json::parse(json.out)) {
    if (key.at("key") != "experts.N.steps") continue;
    EXPECT_EQ(key.at("default"), "1000");
    EXPECT_EQ(key.at("resume"), "length");
    found = true;
  }
  EXPECT_TRUE(found);
  const ProgramResult nothing = run({"distill"});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("--run is required"));
}

TEST_F(DistillProgram, FilesHaveTheUmasksRightsAndAreNeverExecutable) {
  for (const mode_t mask : {022U, 077U}) {
    fs::remove_all(path("out"));
    const mode_t before = ::umask(mask);
    const ProgramResult result = distill(inputs_.distillation_file());
    ::umask(before);
    ASSERT_EQ(result.code, 0) << result.err;
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(path("out"))) {
      const auto rights = static_cast<mode_t>(entry.status().permissions());
      EXPECT_EQ(rights, (entry.is_directory() ? 0777U : 0666U) & ~mask) << entry.path();
      ++files;
    }
    EXPECT_GT(files, 15);
  }
}

TEST_F(DistillProgram, TheReportEscapesWhatComesFromData) {
  const std::string name = "<script>alert('1')</script>\"&";
  Json run = inputs_.distillation_file();
  run["experts"][0]["name"] = name;
  const ProgramResult result = distill(run);
  ASSERT_EQ(result.code, 0) << result.err;
  const std::string html = read_file(path("out/report.html"));
  EXPECT_THAT(html, AllOf(HasSubstr("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"),
                          Not(HasSubstr("<script>alert"))));
}

TEST_F(DistillProgram, NoNameFromAFileIsAPath) {
  Json run = inputs_.distillation_file();
  run["experts"][0]["name"] = "../../../escape";
  ASSERT_EQ(distill(run).code, 0);
  EXPECT_FALSE(fs::exists(inputs_.directory.path().parent_path() / "escape"));
  // The paths of a run directory that came from elsewhere are not followed by its report.
  Json resolved = Json::parse(read_file(path("out/run.json")));
  write_file(path("secret.json"), testing::tiny_config(98765).dump());
  resolved["student"]["config"] = path("secret.json").string();
  write_file(path("out/run.json"), resolved.dump());
  const std::string command =
      std::string(GLADIUS_PROGRAM) + " report " + path("out").string() + " > /dev/null 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
  for (const char* report : {"out/report.md", "out/report.html"}) {
    EXPECT_THAT(read_file(path(report)), AllOf(Not(HasSubstr("98765")), Not(HasSubstr("98,765"))));
  }
  // The index of a model's shards cannot leave its directory.
  fs::rename(path("expert/model.safetensors"), path("outside.safetensors"));
  write_file(path("expert/model.safetensors.index.json"),
             R"({"weight_map": {"lm_head.weight": "../outside.safetensors"}})");
  fs::remove_all(path("out"));
  expect_failure(distill(run), "the name of a file in the directory is expected");
}

TEST_F(DistillProgram, AnExpertThatIsNotFiniteEndsTheRunWithASnapshot) {
  Json run = inputs_.distillation_file();
  const auto expert = testing::tiny_model(testing::tiny_config(TinyRun::kVocabulary), 7);
  Tensor(expert->state_dict().at(0).second).fill_(NAN);
  save_model(path("broken"), *expert);
  run["experts"] = {{{"model", "broken"}, {"steps", 20}}};
  run["max_nonfinite_steps"] = 2;
  const ProgramResult result = distill(run);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("warning: step 0: the loss is nan\n"),
                                HasSubstr("error: step 5: 2 updates in a row were skipped")));
  EXPECT_TRUE(fs::exists(path("out/nonfinite/model/config.json")));
  EXPECT_FALSE(fs::exists(path("out/model")));
}

TEST_F(DistillProgram, TheMemoryEstimateIsWithin15PercentOfThePeak) {
  if (testing::kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  constexpr std::int64_t kVocabulary = 8000, kTokens = 200;
  Json json = testing::tiny_config(kVocabulary, 256);
  write_file(path("student.json"), json.dump());
  save_model(path("teacher"), *testing::tiny_model(json, 3));
  testing::Rng rng(1);
  write_file(path("data.jsonl"),
             testing::as_jsonl(testing::learnable_examples(rng, 4, kTokens, kTokens, kVocabulary)));
  for (const bool checkpointing : {false, true}) {
    fs::remove_all(path("out"));
    Json run = inputs_.run_file();
    run.erase("steps");
    run["experts"] = {{{"model", "teacher"}, {"steps", 4}}};
    run["gradient_accumulation"] = 2;
    run["activation_checkpointing"] = checkpointing;
    const ProgramResult result = distill(run);
    ASSERT_EQ(result.code, 0) << result.err;
    const train::MemoryNeed need = train::estimate_memory(
        inputs_.config(run), *make_language_model(ModelConfig::load(path("student.json"))),
        kTokens);
    const auto estimate = static_cast<double>(need.required() + need.expert);
    EXPECT_NEAR(estimate, static_cast<double>(result.peak_bytes), 0.15 * estimate);
  }
}

TEST_F(DistillProgram, TheDataMayBeLargerThanTheMemoryItTakes) {
  if (testing::kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  Json run = inputs_.run_file();
  run["data"]["shuffle"] = true;
  const ProgramResult small = distill(run);
  ASSERT_EQ(small.code, 0) << small.err;
  std::string line = "{\"input_ids\": [1, 2, 3], \"comment\": \"";
  line += std::string(1000, '.') + "\"}\n";
  {
    std::ofstream data(path("data.jsonl"));  // not held here: a child's peak includes its parent's
    for (int i = 0; i < 100'000; ++i) data << line;
  }
  fs::remove_all(path("out"));
  const ProgramResult large = distill(run);
  ASSERT_EQ(large.code, 0) << large.err;
  // Of the 100 MB: 16 bytes a line, and 8 MiB of examples.
  EXPECT_LT(large.peak_bytes, small.peak_bytes + (24 << 20));
}

TEST_F(DistillProgram, WhatDoesNotFitTheMemoryIsRefusedInOneLine) {
  Json json = testing::tiny_config(50, 1 << 18);
  json["num_hidden_layers"] = 1000;
  write_file(path("student.json"), json.dump());
  expect_failure(distill(inputs_.run_file()), "memory: the run needs about");
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(DistillProgram, AChangedRunFileIsRefusedByKey) {
  Json run = inputs_.run_file();
  ASSERT_EQ(distill(run).code, 0);
  run["optimizer"]["lr"] = 0.5;
  run["seed"] = 3;
  run["log_every"] = 1;
  expect_failure(distill(run, {"--resume"}),
                 "another run with these: optimizer.lr 0.01 -> 0.5, seed 0 -> 3; put");
}

// With data.max_seq_len and data.loss_on of run.json, so that the numbers are the report's.
TEST_F(DistillProgram, EvalReadsDataAsTheRunDid) {
  Json run = inputs_.run_file();
  run["data"] = {{"train", "data.jsonl"}, {"eval", "data.jsonl"}, {"max_seq_len", 4}};
  ASSERT_EQ(distill(run).code, 0);
  const Json expected = Json::parse(read_file(path("out/evaluation.json")));
  ASSERT_GT(expected.at("truncated"), 0);
  const auto eval = [&](const fs::path& model, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{
        "eval",      "--model", model.string(), "--data", path("data.jsonl"),
        "--threads", "2",       "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = testing::run_program(inputs_.directory.path(), arguments);
    EXPECT_EQ(result.code, 0) << result.err;
    return Json::parse(result.out);
  };
  const Json report = eval(path("out/model"));
  for (const char* key : {"examples", "tokens", "truncated", "cross_entropy", "perplexity",
                          "bits_per_byte", "bytes"}) {
    EXPECT_EQ(report.at(key), expected.at(key)) << key;
  }
  EXPECT_EQ(report.at("max_seq_len"), 4);
  EXPECT_EQ(report.at("settings_from"), fs::canonical(path("out/run.json")).string());
  EXPECT_EQ(eval(path("out/model"), {"--max-seq-len", "512"}).at("truncated"), 0);
  fs::copy(path("out/model"), path("elsewhere"));
  EXPECT_EQ(eval(path("elsewhere")).at("settings_from"), "defaults");
}

}  // namespace
}  // namespace gladius
