#include "gladius/train/run/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string_view>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"
#include "support/message_of.h"
#include "support/random.h"
#include "support/temporary_directory.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

Checkpoint at_step(std::int64_t step) {
  const auto value = static_cast<float>(step);
  Checkpoint checkpoint;
  checkpoint.state.step = step;
  checkpoint.state.loss_sum = 1.0 / 3;
  checkpoint.state.losses = 2;
  checkpoint.state.recent_losses = {1.0 / 7, 2.5};
  checkpoint.state.skipped_in_a_row = 4;
  checkpoint.weights = {{"w", Tensor::full({3}, value)}};
  checkpoint.optimizer = {{"w.exp_avg", Tensor::full({3}, -value)}};
  checkpoint.gradients = {{"w", Tensor::full({3}, value / 2)}};
  checkpoint.metrics = {.bytes = 77, .sha256 = "5e"};
  return checkpoint;
}

class Checkpoints : public ::testing::Test {
 protected:
  fs::path path(std::int64_t step) const {
    return directory_ / ("step-0000000" + std::to_string(step));
  }
  std::optional<Checkpoint> load() {
    warnings_.clear();
    const auto found = find_checkpoint(directory_.path(), 1000, [](const Checkpoint&) {});
    if (!found) return {};
    set_aside_unusable(*found, [&](const std::string& text) { warnings_.push_back(text); });
    return found->checkpoint;
  }

  TemporaryDirectory directory_;
  std::vector<std::string> warnings_;
};

TEST_F(Checkpoints, AreReadAsTheyWereWritten) {
  EXPECT_FALSE(load());
  save_checkpoint(directory_.path(), at_step(3), 2);
  const auto read = load();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->state.to_json(), at_step(3).state.to_json());
  EXPECT_EQ(read->metrics.bytes, 77u);
  EXPECT_EQ(read->metrics.sha256, "5e");
  EXPECT_EQ(read->weights[0].second.to_vector<float>(), std::vector<float>(3, 3));
  EXPECT_EQ(read->optimizer[0].second.to_vector<float>(), std::vector<float>(3, -3));
  EXPECT_EQ(read->gradients[0].second.to_vector<float>(), std::vector<float>(3, 1.5F));
}

TEST_F(Checkpoints, TheManifestHasTheSumOfEveryOtherFile) {
  save_checkpoint(directory_.path(), at_step(3), 2);
  const auto manifest = ordered_json::parse(read_file(path(3) / "manifest.json"));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(path(3))) {
    const std::string name = entry.path().filename().string();
    if (name == "manifest.json") continue;
    ++files;
    EXPECT_EQ(manifest.at("files").at(name).at("sha256"), sha256_file(entry.path())) << name;
    EXPECT_EQ(manifest.at("files").at(name).at("bytes"), entry.file_size()) << name;
  }
  EXPECT_EQ(files, manifest.at("files").size());
}

// Whatever byte is another, in whatever file, and wherever a file ends too early.
TEST_F(Checkpoints, EveryDamageIsFoundAndTheOneBeforeUsed) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  testing::Rng rng(seed);
  save_checkpoint(directory_.path(), at_step(2), 2);
  for (const char* name : {"manifest.json", "state.json", "model.safetensors",
                           "optimizer.safetensors", "gradients.safetensors"}) {
    for (int trial = 0; trial < 20; ++trial) {
      save_checkpoint(directory_.path(), at_step(5), 2);
      const fs::path file = path(5) / name;
      std::string bytes = read_file(file);
      // The end of the manifest's last line says nothing, and the manifest is in no other's sums.
      const auto counted = std::ssize(bytes) - (name == std::string_view("manifest.json") ? 1 : 0);
      const auto at = static_cast<std::size_t>(testing::random_int(rng, 0, counted - 1));
      SCOPED_TRACE(::testing::Message() << name << ", trial " << trial << " at " << at);
      if (trial == 0) {
        fs::remove(file);
      } else if (trial % 2 == 0) {
        write_file(file, bytes.substr(0, at));
      } else {
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << testing::random_int(rng, 0, 7)));
        write_file(file, bytes);
      }
      const auto used = load();
      ASSERT_TRUE(used);
      EXPECT_EQ(used->state.step, 2);
      ASSERT_EQ(warnings_.size(), 1u);
      EXPECT_THAT(warnings_[0],
                  AllOf(HasSubstr("step-00000005 is damaged"), HasSubstr(name),
                        HasSubstr("set aside as step-00000005.damaged; resuming from step 2")));
      EXPECT_FALSE(fs::exists(path(5)));
      EXPECT_TRUE(fs::exists(directory_ / "step-00000005.damaged"));
      EXPECT_EQ(newest_checkpoint(directory_.path()), path(2));
    }
  }
}

TEST_F(Checkpoints, ADamagedOneDoesNotCountAmongThoseKept) {
  save_checkpoint(directory_.path(), at_step(2), 2);
  save_checkpoint(directory_.path(), at_step(5), 2);
  fs::remove(path(5) / "state.json");
  EXPECT_EQ(load()->state.step, 2);
  save_checkpoint(directory_.path(), at_step(3), 1);
  EXPECT_EQ(load()->state.step, 3);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(Checkpoints, NoneThatIsWholeIsOneError) {
  for (const std::int64_t step : {2, 5}) {
    save_checkpoint(directory_.path(), at_step(step), 2);
    fs::remove(path(step) / "model.safetensors");
  }
  EXPECT_THAT(message_of<FormatError>([&] { load(); }),
              AllOf(HasSubstr("none of the 2 checkpoints in " + directory_.path().string()),
                    HasSubstr("step-00000005/model.safetensors is missing"), HasSubstr("--out")));
  EXPECT_TRUE(warnings_.empty());
  EXPECT_TRUE(fs::exists(path(5)));
}

TEST_F(Checkpoints, OneThatDoesNotFitIsPassedOverAsADamagedOne) {
  for (const std::int64_t step : {2, 5, 7}) save_checkpoint(directory_.path(), at_step(step), 3);
  const auto found = find_checkpoint(directory_.path(), 6, [](const Checkpoint& checkpoint) {
    if (checkpoint.state.step == 5) throw FormatError("it is another's");
  });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->checkpoint.state.step, 2);
  ASSERT_EQ(found->unusable.size(), 1u);
  EXPECT_EQ(found->unusable[0].path, path(5));
  EXPECT_THAT(found->unusable[0].reason, HasSubstr("it is another's"));
  EXPECT_TRUE(fs::exists(path(5)));
}

TEST_F(Checkpoints, ARenamedOneIsNotUsed) {
  save_checkpoint(directory_.path(), at_step(2), 2);
  fs::rename(path(2), path(9));
  EXPECT_THAT(
      message_of<FormatError>([&] { load(); }),
      HasSubstr("step-00000009 is named after another step than that of its state.json, 2"));
  for (const char* name : {"step-2", "step-0000000x", "step-00000002.bak", "old"}) {
    fs::create_directories(directory_ / name);
  }
  EXPECT_EQ(list_checkpoints(directory_.path()).size(), 1u);
}

TEST_F(Checkpoints, AreInTheOrderOfTheirNumbers) {
  for (const char* name : {"step-100000000", "step-99999999", "step-00000003"}) {
    fs::create_directories(directory_ / name);
  }
  EXPECT_EQ(newest_checkpoint(directory_.path()), directory_ / "step-100000000");
  prune_checkpoints(directory_.path(), 2);
  EXPECT_FALSE(fs::exists(path(3)));
  EXPECT_EQ(list_checkpoints(directory_.path()).size(), 2u);
}

TEST_F(Checkpoints, NeedADirectory) {
  write_file(directory_ / "checkpoints", "");
  EXPECT_THAT(message_of<IoError>([&] { list_checkpoints(directory_ / "checkpoints"); }),
              HasSubstr("checkpoints is not a directory"));
}

TEST_F(Checkpoints, TheManifestListsTheirFilesAndNoOthers) {
  save_checkpoint(directory_.path(), at_step(3), 2);
  const fs::path file = path(3) / "manifest.json";
  const auto whole = ordered_json::parse(read_file(file));
  auto more = whole;
  more["files"]["../secret"] = more["files"]["state.json"];
  auto fewer = whole;
  fewer["files"].erase("optimizer.safetensors");
  auto list = whole;
  list["files"] = {"state.json"};
  for (const auto& [manifest, what] :
       {std::pair(more, "lists \"../secret\", which is no file of a checkpoint"),
        std::pair(fewer, "optimizer.safetensors does not have the size and SHA-256"),
        std::pair(list, "is not the manifest of a checkpoint"),
        std::pair(ordered_json("x"), "not a JSON object")}) {
    write_file(file, manifest.dump());
    EXPECT_THAT(message_of<FormatError>([&] { load_checkpoint(path(3)); }), HasSubstr(what));
  }
}

}  // namespace
}  // namespace gladius::train
