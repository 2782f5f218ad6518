#include "gladius/train/run/fingerprint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"
#include "support/message_of.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::read_file;
using testing::TinyRun;
using testing::write_file;

TEST(Fingerprint, NamesEveryFileThatDecidesTheRun) {
  const TinyRun run;
  testing::write_tiny_tokenizer(run.directory / "tokenizer");
  save_model(run.directory / "start", *testing::tiny_model(testing::tiny_config(50), 2));
  Json file = run.distillation_file();
  file["student"] = {{"init", "start"}, {"tokenizer", "tokenizer"}};
  const RunConfig config = run.config(file);
  const Json inputs = describe_inputs(config);
  const auto expect = [&](const char* key, std::vector<const char*> names) {
    EXPECT_EQ(inputs.at(key).size(), names.size()) << key;
    for (const char* name : names) {
      const fs::path path = run.directory / name;
      EXPECT_EQ(inputs.at(key).at(path.string()),
                Json({{"bytes", fs::file_size(path)}, {"sha256", sha256_file(path)}}))
          << name;
    }
  };
  expect("data.train", {"data.jsonl"});
  expect("student.config", {"start/config.json"});
  expect("student.init", {"start/config.json", "start/model.safetensors"});
  expect("student.tokenizer", {"tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json"});
  expect("experts.0.model", {"expert/config.json", "expert/model.safetensors"});
  expect("experts.1.model", {"expert/config.json", "expert/model.safetensors"});
  EXPECT_EQ(inputs.size(), 6u);
  EXPECT_NO_THROW(check_inputs(inputs, config));
}

TEST(Fingerprint, WhatHasChangedIsGoneOrCameIsNamed) {
  const TinyRun run;
  const RunConfig config = run.config(run.distillation_file());
  const Json before = describe_inputs(config);
  const auto message = [&] { return message_of<Error>([&] { check_inputs(before, config); }); };
  for (const char* name : {"data.jsonl", "student.json", "expert/model.safetensors"}) {
    const fs::path path = run.directory / name;
    const std::string bytes = read_file(path);
    const auto time = fs::last_write_time(path);
    write_file(path, bytes + " ");
    EXPECT_THAT(message(), HasSubstr(path.string() + " has changed since the run began"));
    std::string other = bytes;  // the same size and time
    other.back() = static_cast<char>(other.back() ^ 1);
    write_file(path, other);
    fs::last_write_time(path, time);
    EXPECT_THAT(message(), HasSubstr(path.string() + " has changed since the run began"));
    fs::remove(path);
    EXPECT_THAT(message(), AllOf(HasSubstr("resume: "), HasSubstr(path.string() + " is gone")));
    write_file(path, bytes);
    EXPECT_NO_THROW(check_inputs(before, config));
  }
  testing::write_tiny_tokenizer(run.directory / "expert");
  EXPECT_THAT(message(), AllOf(HasSubstr("experts.0.model"),
                               HasSubstr("tokenizer.json was not there when the run began")));
}

}  // namespace
}  // namespace gladius::train
