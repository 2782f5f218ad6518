// What a resumed run makes of its checkpoints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/tensor/io/safetensors.h"
#include "train/run/resume_fixture.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::read_file;
using testing::timeless_metrics;
using testing::write_file;

TEST_F(Resume, EveryValueOfTheStateIsChecked) {
  const std::vector<std::pair<const char*, std::vector<Json>>> values{
      {"step", {-1, 1.5, "10", nullptr, true, 9223372036854775808ULL}},
      {"data_position", {-1, 0, 9, 11, 1e3, 9223372036854775807, 9223372036854775808ULL}},
      {"skipped_lines", {-1, 3, 99}},
      {"updates", {-1, 0, 3, 5, 1 << 30}},
      {"skipped_updates", {-1, 1, 5}},
      {"skipped_in_a_row", {-1, 1}},
      {"group_is_spoiled", {true, 0, nullptr}},
      {"loss_sum", {nullptr, "0"}},
      {"losses", {-1, 0, 9, 11}},
      {"data_read", {nullptr, "8", Json::array()}},
      {"recent_losses", {Json::array(), Json::array({1.0}), nullptr, "x", 3}},
      {"first_loss", {nullptr, "x"}},
      {"grad_norm", {nullptr, -1}},
      {"update_terms", {nullptr, 3, {{"labelled", 3}, {"compared", 3}}}},
      {"elapsed_s", {-1, nullptr}}};
  const std::string before = read_file(checkpoint(10) / "state.json");
  const fs::path aside = run_.directory / "aside";
  fs::copy(out_, aside, fs::copy_options::recursive);
  for (const auto& [key, wrong] : values) {
    for (const Json& value : wrong) {
      expect_not_used(key, value, [&](Json& json) { json["state"][key] = value; });
    }
  }
  expect_goes_on();
  EXPECT_EQ(timeless_metrics(out_), timeless_metrics(whole_));
  fs::remove_all(out_);
  fs::copy(aside, out_, fs::copy_options::recursive);
  fs::remove_all(checkpoint(8));
  patch_json(checkpoint(10) / "state.json", [&](Json& json) { json["state"].erase("updates"); });
  sign(checkpoint(10));
  expect_refused("\"updates\" is missing");
  for (const Json& offset : {Json(-1), Json("x"), Json()}) {
    patch_json(checkpoint(10) / "state.json", [&](Json& json) {
      json = Json::parse(before);
      json["metrics_offset"] = offset;
    });
    sign(checkpoint(10));
    expect_refused("\"metrics_offset\"");
  }
}

TEST_F(Resume, TheTermsOfAnUpdateAreCheckedWhereItsGroupIsOpen) {
  file_["loss"] = {{"normalization", "tokens"}};
  for (const fs::path& out : {whole_, out_}) fs::remove_all(out);
  execute(config(), whole_);
  execute(config(), out_, false, 11);  // of the group of steps 10 to 12
  const std::string before = read_file(checkpoint(11) / "state.json");
  for (const Json& wrong :
       {Json(), Json(3), Json{{"labelled", 3}}, Json{{"compared", 3}},
        Json{{"labelled", -1}, {"compared", 3}}, Json{{"labelled", 3}, {"compared", 1 << 30}}}) {
    SCOPED_TRACE(wrong.dump());
    patch_json(checkpoint(11) / "state.json", [&](Json& json) {
      json = Json::parse(before);
      ASSERT_TRUE(json["state"].contains("update_terms"));
      json["state"]["update_terms"] = wrong;
      if (wrong.is_null()) json["state"].erase("update_terms");
    });
    sign(checkpoint(11));
    warnings_.clear();
    const fs::path copy = run_.directory / "copy";
    fs::remove_all(copy);
    fs::copy(out_, copy, fs::copy_options::recursive);
    EXPECT_EQ(execute(config(), copy, true, 8, &warnings_).steps, 8);
    EXPECT_THAT(warnings_, Contains(AllOf(HasSubstr("step-00000011 is damaged"))));
    EXPECT_THAT(warnings_, Contains(HasSubstr("update_terms")));
  }
  testing::write_file(checkpoint(11) / "state.json", before);
  sign(checkpoint(11));
  expect_goes_on();
  EXPECT_EQ(timeless_metrics(out_), timeless_metrics(whole_));
}

// The last step's record and the best evaluation.
TEST_F(Resume, EveryValueOfARecordInTheStateIsChecked) {
  const Json record = read_metrics(out_ / "metrics.jsonl").back().to_json();
  const std::vector<std::pair<const char*, std::vector<Json>>> of_record{
      {"step", {-1, 8, 10, "9", nullptr}},
      {"expert", {"one", nullptr, 3}},
      {"loss", {-1, "x", 1e300}},
      {"loss_running_mean", {0, nullptr}},
      {"loss_window_mean", {0, nullptr}},
      {"ce", {-1, "x"}},
      {"lr", {0, -1, nullptr}},
      {"grad_norm", {-1, 0, nullptr}},
      {"skipped_updates", {-1, 1}},
      {"tokens", {-1, 0, 1 << 20, 9223372036854775807}},
      {"tokens_per_s", {-1}},
      {"elapsed_s", {-1, 0, nullptr}},
      {"skipped_lines", {1}},
      {"grad_norms", {3, Json::array({1}), {{"norm", -1}}, {{"norm", "x"}}}},
      {"memory_mib", {-1, "x"}},
      {"eval_tokens", {3}}};
  for (const auto& [key, wrong] : of_record) {
    for (const Json& value : wrong) {
      SCOPED_TRACE(key);
      expect_not_used("unevaluated", value, [&](Json& json) {
        json["unevaluated"] = record;
        json["unevaluated"][key] = value;
      });
    }
  }
  const Json best{{"step", 5}, {"cross_entropy", 1.5}, {"data", std::string(64, 'a')}};
  const std::vector<std::pair<const char*, std::vector<Json>>> of_best{
      {"step", {-1, 10, 9223372036854775807, 9223372036854775808ULL, 1.5, "5", nullptr}},
      {"cross_entropy", {-1, nullptr, "x"}},
      {"data", {"", "x", std::string(64, 'g'), 3, nullptr}}};
  for (const auto& [key, wrong] : of_best) {
    for (const Json& value : wrong) {
      SCOPED_TRACE(key);
      expect_not_used("best", value, [&](Json& json) {
        json["best"] = best;
        json["best"][key] = value;
      });
    }
  }
  for (const Json& value : {Json("x"), Json(3), Json::array()}) {
    expect_not_used("best", value, [&](Json& json) { json["best"] = value; });
    expect_not_used("unevaluated", value, [&](Json& json) { json["unevaluated"] = value; });
  }
}

TEST_F(Resume, TensorsOfAnotherModelAreRefused) {
  execute(config(), out_, true, 11);  // within a group
  fs::remove_all(checkpoint(10));
  const fs::path aside = run_.directory / "aside";
  fs::copy(out_, aside, fs::copy_options::recursive);
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "gradients.safetensors"}) {
    for (const bool misshapen : {true, false}) {
      fs::remove_all(out_);
      fs::copy(aside, out_, fs::copy_options::recursive);
      NamedTensors tensors;
      const auto file = SafetensorsFile::open(checkpoint(11) / name);
      for (const auto& entry : file.entries()) {
        tensors.emplace_back(entry.name, file.tensor(entry.name).clone());
      }
      ASSERT_FALSE(tensors.empty());
      if (misshapen) tensors.back().second = Tensor::zeros({3});
      if (!misshapen) tensors.emplace_back("other", Tensor::zeros({3}));
      write_safetensors(checkpoint(11) / name, tensors);
      sign(checkpoint(11));
      expect_refused("none of the 1 checkpoints");
    }
  }
}

TEST_F(Resume, ACheckpointOfAnotherRunIsNotUsed) {
  const Json before = file_;
  file_["seed"] = 5;
  execute(config(), run_.directory / "other", false, 10);
  file_ = before;
  fs::remove_all(checkpoint(10));
  fs::copy(run_.directory / "other" / "checkpoints" / "step-00000010", checkpoint(10),
           fs::copy_options::recursive);
  expect_goes_on();
  EXPECT_THAT(warnings_, Contains(AllOf(HasSubstr("step-00000010 is damaged"),
                                        HasSubstr("of another run: seed 5 -> 0"))));
  EXPECT_EQ(timeless_metrics(out_), timeless_metrics(whole_));
}

TEST_F(Resume, LostCheckpointsAreAnError) {
  const fs::path checkpoints = out_ / "checkpoints";
  fs::rename(checkpoints, out_ / "aside");
  expect_refused(
      "has no checkpoint of the run, though timeline.jsonl says \"checkpoint at step 10");
  fs::create_directories(checkpoints);
  expect_refused("or begin the run again with another --out");
  fs::remove(out_ / "timeline.jsonl");
  expect_refused("though metrics.jsonl has 10 steps");
  fs::remove(checkpoints);
  write_file(checkpoints, "");
  expect_refused("checkpoints is not a directory");
  fs::remove(checkpoints);
  fs::create_directory_symlink(out_ / "aside", checkpoints);
  fs::rename(checkpoint(10), checkpoints / "step-00000012");
  expect_goes_on();  // from step 8
  EXPECT_THAT(warnings_, Contains(HasSubstr("named after another step")));
}

TEST_F(Resume, RemovesTheCheckpointThatAKillLeftOver) {
  const fs::path more = run_.directory / "more";
  file_["keep_checkpoints"] = 5;
  execute(config(), more, false, 10);
  EXPECT_EQ(list_checkpoints(more / "checkpoints").size(), 3u);
  fs::copy(more / "checkpoints" / "step-00000004", checkpoint(4), fs::copy_options::recursive);
  file_["keep_checkpoints"] = 2;
  execute(config(), out_, true, 11);
  ASSERT_EQ(list_checkpoints(out_ / "checkpoints").size(), 2u);
  EXPECT_TRUE(fs::exists(checkpoint(10)));
  expect_goes_on();
}

}  // namespace
}  // namespace gladius::train
