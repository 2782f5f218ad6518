// What a run makes of a directory that is not as it left it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "gladius/tensor/base/sha256.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/train/report/run_record.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/run_directory.h"
#include "train/run/resume_fixture.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using testing::contents;
using testing::execute;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Json;
using testing::read_file;
using testing::timeless_metrics;
using testing::weights;
using testing::write_file;

TEST_F(Resume, ARefusedOneLeavesEveryFileAsItWas) {
  file_["log_every"] = 1;  // may change
  for (const auto& [path, what] :
       {std::pair("data.jsonl", "data.jsonl has changed since"),
        std::pair("student.json", "student.json"),
        std::pair("expert/model.safetensors", "model.safetensors has changed since")}) {
    const std::string before = read_file(run_.directory / path);
    std::string other = before;
    other[other.size() / 2] = static_cast<char>(other[other.size() / 2] ^ 1);
    write_file(run_.directory / path, other);
    expect_refused(what);
    write_file(run_.directory / path, before);
  }
  const Json before = file_;
  file_["optimizer"]["lr"] = 1;
  expect_refused("optimizer.lr 0.01 -> 1.0");
  file_ = before;
  file_["data"]["eval"] = "gone.jsonl";
  expect_refused("gone.jsonl");
  file_ = before;
  const std::string offset = read_file(checkpoint(10) / "state.json");
  for (const int step : {8, 10}) write_file(checkpoint(step) / "state.json", "{}");
  expect_refused("none of the 2 checkpoints");
  fs::remove_all(checkpoint(8));
  write_file(checkpoint(10) / "state.json", offset);
  fs::create_directories(out_ / "step.staged");
  write_file(out_ / "timeline.jsonl", read_file(out_ / "timeline.jsonl") + "{\"half");
  const std::string metrics = read_file(out_ / "metrics.jsonl");
  fs::remove(out_ / "metrics.jsonl");
  fs::create_directories(out_ / "metrics.jsonl");
  expect_refused("metrics.jsonl");
  fs::remove(out_ / "metrics.jsonl");
  write_file(out_ / "metrics.jsonl", metrics);
  expect_goes_on();
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(Resume, WhatWasDoneToTheMetricsIsToldAndNeverKeepsTheRunFromGoingOn) {
  const fs::path metrics = out_ / "metrics.jsonl";
  const std::string before = read_file(metrics);
  const std::size_t second = before.find('\n') + 1, third = before.find('\n', second) + 1;
  std::string edited = before;
  edited[edited.find("\"loss\":") + 7] = '7';
  for (const auto& [text, what, lines] :
       {std::tuple(edited, "was changed by something else", 13),
        std::tuple(before.substr(0, second), "lacks the lines of 9 of the 10 steps", 4),
        std::tuple(before.substr(0, third - 9), "lacks the lines of 9 of the 10 steps", 4),
        std::tuple(before.substr(0, second) + before.substr(third), "the first: step 1)", 12),
        std::tuple("x" + before, "(the first: step 0)", 12),
        std::tuple(std::string(), "lacks the lines of 10 of the 10 steps", 3)}) {
    fs::remove_all(out_);
    execute(config(), out_, false, 10);
    if (text.empty()) {
      fs::remove(metrics);
    } else {
      write_file(metrics, text);
    }
    expect_goes_on();
    EXPECT_THAT(warnings_, Contains(HasSubstr(what)));
    const auto records = read_metrics(metrics);
    EXPECT_EQ(std::ssize(records), lines) << what;
    EXPECT_EQ(records.back().to_json()["loss_running_mean"],
              read_metrics(whole_ / "metrics.jsonl").back().to_json()["loss_running_mean"]);
    EXPECT_THAT(read_file(out_ / "report.md"), HasSubstr("| Steps | 13 of 13 |"));
  }
}

TEST_F(Resume, BeforeTheFirstCheckpointTheRunBeginsAgainAndSaysSo) {
  fs::remove_all(out_);
  execute(config(), out_, false, 3);
  fs::remove_all(checkpoint(3));
  fs::remove(out_ / "timeline.jsonl");
  expect_goes_on();
  EXPECT_THAT(warnings_, ::testing::ElementsAre(HasSubstr("begins again at step 0")));
  EXPECT_EQ(timeless_metrics(out_), timeless_metrics(whole_));
}

TEST_F(Resume, AModelThatIsNotWholeIsMadeAgain) {
  expect_goes_on();
  const fs::path model = out_ / "model";
  const auto break_model = [&](const std::function<void()>& harm, const std::string& what) {
    harm();
    EXPECT_EQ(RunRecord::read({out_}).complete,
              what.ends_with("is not the file that the run wrote"));
    expect_goes_on();
    EXPECT_THAT(warnings_, Contains(HasSubstr(what))) << what;
    EXPECT_TRUE(RunRecord::read({out_}).complete);
  };
  break_model(
      [&] {
        fs::remove_all(model);
        fs::create_directory(model);
      },
      "is missing");
  EXPECT_FALSE(fs::exists(out_ / "model.damaged"));
  break_model([&] { fs::remove(model / "config.json"); }, "config.json is missing");
  EXPECT_TRUE(fs::exists(out_ / "model.damaged"));
  break_model(
      [&] {
        std::string bytes = weights(out_);
        bytes.back() = static_cast<char>(bytes.back() ^ 1);
        write_file(model / "model.safetensors", bytes);
      },
      "model.safetensors is not the file that the run wrote");
  break_model(
      [&] {
        fs::remove_all(model);
        write_file(model, "x");
      },
      "it is not a directory");
  break_model(
      [&] {
        fs::remove(out_ / "model.json");  // as an earlier version left it
        fs::resize_file(model / "model.safetensors", 100);
      },
      "model.safetensors");
  break_model([&] { write_file(out_ / "model.json", "{\"steps\": 13"); },
              "model.json does not list its files");
  fs::remove(out_ / "model.json");
  expect_goes_on();
  EXPECT_THAT(warnings_, IsEmpty());
  fs::create_directory(out_ / "model.json");  // what it says cannot be read
  expect_refused("model.json");
}

TEST_F(Resume, TheMetricsOfACompleteRunAreCompared) {
  expect_goes_on();
  const fs::path metrics = out_ / "metrics.jsonl";
  const std::string before = read_file(metrics);
  const std::size_t last = before.rfind('\n', before.size() - 2) + 1;
  std::string edited = before;
  char& digit = edited[before.find("\"loss\":", last) + 7];
  digit = digit == '7' ? '8' : '7';
  for (const auto& [text, what, kept] :
       {std::tuple(edited, "was changed by something else", edited),
        std::tuple(before.substr(0, last), "lacks the lines of 1 of the 13 steps",
                   before.substr(0, last)),
        std::tuple(before.substr(0, before.size() - 9), "(the first: step 12)",
                   before.substr(0, last)),
        std::tuple("x\n" + before, "set aside as metrics.jsonl.damaged", before),
        std::tuple(before + before.substr(last), "bytes after the line of the run's last step",
                   before),
        std::tuple(std::string(), "lacks the lines of 13 of the 13 steps", std::string())}) {
    if (text.empty()) {
      fs::remove(metrics);
    } else {
      write_file(metrics, text);
    }
    warnings_.clear();
    EXPECT_TRUE(execute(config(), out_, true, -1, &warnings_).complete);
    EXPECT_THAT(warnings_, ::testing::ElementsAre(HasSubstr(what)));
    EXPECT_EQ(read_file(metrics), kept) << what;
    EXPECT_EQ(weights(out_), weights(whole_));
  }
  write_file(metrics, before);
  expect_goes_on();
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(Resume, WhatIsMissingBesideTheWeightsIsMadeAgain) {
  expect_goes_on();
  const fs::path aside = run_.directory / "aside";
  fs::remove_all(out_);
  execute(config(), out_, false, 10);
  fs::copy(out_, aside, fs::copy_options::recursive);
  for (const char* name : {"environment.json", "inputs.json", "student_config.json",
                           "timeline.jsonl", "events.out.tfevents.gladius", "lock"}) {
    for (const char* text : {"", "[1, 2", "[]", "{\"data.train\": 3}", "99999\n"}) {
      SCOPED_TRACE(std::string(name) + " " + text);
      fs::remove_all(out_);
      fs::copy(aside, out_, fs::copy_options::recursive);
      fs::remove(out_ / name);
      if (*text != '9') write_file(out_ / name, text);
      expect_goes_on();
      EXPECT_TRUE(fs::exists(out_ / name));
      EXPECT_EQ(timeless_metrics(out_), timeless_metrics(whole_));
      if (std::string(name) == "inputs.json") {
        EXPECT_THAT(warnings_, Contains(HasSubstr("the sums of the data and models")));
        EXPECT_EQ(Json::parse(read_file(out_ / name)), Json::parse(read_file(whole_ / name)));
      }
    }
  }
}

// One before the keys came that this version has since.
TEST_F(Resume, ARunOfAnEarlierVersionGoesOn) {
  const auto without_new_keys = [](Json& run) {
    for (const char* key : {"name", "decay", "momentum"}) {
      EXPECT_EQ(run["optimizer"].erase(key), 1u) << key;
    }
  };
  patch_json(out_ / "run.json", without_new_keys);
  for (const int step : {8, 10}) {
    patch_json(checkpoint(step) / "state.json",
               [&](Json& state) { without_new_keys(state["run"]); });
    sign(checkpoint(step));
  }
  expect_goes_on();
  EXPECT_THAT(warnings_, IsEmpty());
}

// Whatever is in their place is no file, and nothing of it is written over.
TEST_F(Resume, ADirectoryOrALinkInAFilesPlaceIsOneClearLine) {
  const auto said = [&]() -> std::string {
    try {
      execute(config(), out_, true, 10);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  for (const char* name : {"environment.json", "inputs.json", "student_config.json", "lock",
                           "expert_evaluations.json", "data.json"}) {
    const std::string before = fs::exists(out_ / name) ? read_file(out_ / name) : "";
    fs::remove(out_ / name);
    write_file(run_.directory / "kept", "mine");
    fs::create_symlink(run_.directory / "kept", out_ / name);
    said();
    EXPECT_EQ(read_file(run_.directory / "kept"), "mine") << name;
    fs::remove(out_ / name);
    fs::create_directory(out_ / name);
    EXPECT_THAT(said(), ::testing::AnyOf("", HasSubstr(name)));
    fs::remove(out_ / name);
    if (!before.empty()) write_file(out_ / name, before);
  }
}

// A copy of a run made with links: what it is linked to is another run's.
TEST_F(Resume, AppendsToNoFileOfAnotherRun) {
  const fs::path origin = run_.directory / "origin";
  fs::copy(out_, origin, fs::copy_options::recursive);
  const auto before = contents(origin);
  for (const char* name : {"metrics.jsonl", "timeline.jsonl", "events.out.tfevents.gladius"}) {
    fs::remove(out_ / name);
    fs::create_symlink(origin / name, out_ / name);
    expect_refused(std::string(name) + " is a symbolic link");
    fs::remove(out_ / name);
    fs::create_hard_link(origin / name, out_ / name);
  }
  expect_goes_on();
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_EQ(timeless_metrics(out_), timeless_metrics(whole_));
  EXPECT_EQ(contents(origin), before);
}

}  // namespace
}  // namespace gladius::train
