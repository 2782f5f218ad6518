#include "gladius/train/report/hub/base_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/tiny_models.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using testing::Json;
using testing::TemporaryDirectory;
using testing::tiny_config;
using testing::write_file;

TEST(HubId, IsAnOwnerAndAName) {
  for (const char* id : {"Qwen/Qwen2.5-0.5B", "a/b", "HuggingFaceTB/SmolLM2_135M"}) {
    EXPECT_TRUE(is_hub_id(id)) << id;
  }
  for (const char* text : {"", "gpt2", "/b", "a/", "a/b/c", "/a/b", "./b", "../b", "a/-b", "a/b.",
                           "a/b--c", "a/b..c", "a/b c", "a/b.git", "a/\u00E9"}) {
    EXPECT_FALSE(is_hub_id(text)) << text;
  }
  EXPECT_FALSE(is_hub_id("a/" + std::string(97, 'b')));
}

fs::path model_named(const TemporaryDirectory& directory, const Json& name) {
  Json config = tiny_config(40);
  config["_name_or_path"] = name;
  const fs::path model = directory / "teacher";
  fs::create_directories(model);
  write_file(model / "config.json", config.dump());
  return model;
}

TEST(HubId, IsThatOfTheConfiguration) {
  const TemporaryDirectory directory;
  EXPECT_EQ(hub_id(model_named(directory, "Owner/Model")), "Owner/Model");
  EXPECT_EQ(public_name(directory / "teacher"), "Owner/Model");
}

TEST(HubId, IsNotThatOfADirectory) {
  const TemporaryDirectory directory;
  for (const Json& name :
       {Json("/home/me/teacher"), Json("./teacher"), Json("teacher"), Json(""), Json(7), Json()}) {
    const fs::path model = model_named(directory, name);
    EXPECT_EQ(hub_id(model), std::nullopt) << name;
    EXPECT_EQ(public_name(model), "teacher");
    EXPECT_EQ(public_name(model / ""), "teacher");
  }
  write_file(directory / "teacher" / "config.json", "{");
  EXPECT_EQ(hub_id(directory / "teacher"), std::nullopt);
  EXPECT_EQ(public_name(directory / "gone"), "gone");
}

TEST(HubId, IsThatOfTheCachesFolder) {
  for (const char* path : {"/hub/models--Owner--My-Model", "/hub/models--Owner--My-Model/",
                           "/hub/models--Owner--My-Model/snapshots/0a1b"}) {
    EXPECT_EQ(hub_id(path), "Owner/My-Model") << path;
  }
  EXPECT_EQ(hub_id("/hub/models--gpt2"), std::nullopt);
  EXPECT_EQ(hub_id("/hub/datasets--Owner--Data"), std::nullopt);
}

}  // namespace
}  // namespace gladius::train
