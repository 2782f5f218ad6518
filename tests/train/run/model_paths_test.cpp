#include "gladius/train/run/model_paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/train/distill.h"
#include "gladius/train/run/overwrite.h"
#include "gladius/train/run/pass_memory.h"
#include "support/message_of.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::TinyRun;
using testing::write_file;

RunEvents no_events() {
  return {.begin = [](const TrainingPlan&, const TrainerState&) {},
          .step = [](const StepRecord&) {},
          .info = [](const std::string&) {},
          .warn = [](const std::string&) {},
          .stop_requested = [] { return false; }};
}

class ModelPathsOf : public ::testing::Test {
 protected:
  // A run of 12 steps with checkpoints after 8 and 12, and a tokenizer if asked for.
  RunPaths train(bool with_tokenizer) {
    Json run = inputs_.run_file();
    if (with_tokenizer) {
      testing::write_tiny_tokenizer(inputs_.directory / "tokenizer");
      run["student"]["config"] = "large.json";
      write_file(inputs_.directory / "large.json", testing::tiny_config(265).dump());
      run["student"]["tokenizer"] = "tokenizer";
    }
    const RunPaths paths{inputs_.directory / "run"};
    distill(inputs_.config(run), paths.directory, /*resume=*/false, no_events());
    return paths;
  }

  TinyRun inputs_;
};

TEST_F(ModelPathsOf, AModelDirectoryIsItself) {
  const fs::path directory = inputs_.directory / "expert";
  const FoundModel found = find_model(directory);
  EXPECT_EQ(found.paths.weights, directory);
  EXPECT_EQ(found.paths.config, directory / "config.json");
  EXPECT_EQ(found.paths.tokenizer, directory);
  EXPECT_EQ(found.note, "");
  EXPECT_EQ(find_model(inputs_.directory / "none").paths.weights, inputs_.directory / "none");
  EXPECT_EQ(find_config(directory), directory);
  EXPECT_EQ(find_config(inputs_.directory / "student.json"), inputs_.directory / "student.json");
}

TEST_F(ModelPathsOf, ARunIsItsModelElseItsNewestCheckpoint) {
  const RunPaths run = train(false);
  EXPECT_EQ(find_model(run.directory).paths.weights, run.model());
  EXPECT_EQ(find_model(run.directory).note, "");
  const Tensor trained = load_model(run.model())->state_dict().front().second;
  fs::rename(run.model() / "config.json", run.directory / "aside");
  const FoundModel found = find_model(run.directory);
  EXPECT_EQ(found.paths.weights, run.checkpoints() / "step-00000012");
  EXPECT_THAT(found.note, HasSubstr("newest checkpoint, step-00000012, is taken"));
  EXPECT_EQ(load_model(found.paths)->state_dict().front().second.to_vector<float>(),
            trained.to_vector<float>());
  fs::remove_all(run.checkpoints());
  EXPECT_THAT(message_of<IoError>([&] { find_model(run.directory); }),
              HasSubstr("neither a model nor a checkpoint"));
}

TEST_F(ModelPathsOf, ACheckpointHasTheConfigurationAndTokenizerOfItsRun) {
  const RunPaths run = train(true);
  const fs::path checkpoint = run.checkpoints() / "step-00000008";
  for (const fs::path& path : {checkpoint, checkpoint / "", checkpoint / "." / ""}) {
    const FoundModel found = find_model(path);
    EXPECT_EQ(found.note, "");
    EXPECT_TRUE(fs::equivalent(found.paths.config, run.student_config()));
    EXPECT_TRUE(fs::equivalent(found.paths.tokenizer, inputs_.directory / "tokenizer"));
    EXPECT_EQ(load_model(found.paths)->config().vocab_size, 265);
  }
  // The tokenizer that the run was made with is gone; its model has a copy.
  fs::remove_all(inputs_.directory / "tokenizer");
  EXPECT_TRUE(fs::equivalent(find_model(checkpoint).paths.tokenizer, run.model()));
  EXPECT_TRUE(fs::equivalent(find_run(checkpoint).directory, run.directory));
  EXPECT_TRUE(fs::equivalent(find_run(run.model()).directory, run.directory));
  EXPECT_EQ(find_run(run.directory).directory, run.directory);
}

TEST_F(ModelPathsOf, ACacheFolderIsItsSnapshot) {
  const fs::path folder = inputs_.directory / "models--a--b";
  for (const char* commit : {"111", "222"}) {
    fs::create_directories(folder / "snapshots" / commit);
    write_file(folder / "snapshots" / commit / "config.json", "{}");
  }
  fs::create_directories(folder / "refs");
  write_file(folder / "refs/main", "111\n");
  EXPECT_EQ(find_model(folder).paths.weights, folder / "snapshots/111");
  EXPECT_EQ(find_model(folder).note, "");
  fs::remove(folder / "refs/main");
  const auto now = fs::last_write_time(folder / "snapshots/111");
  fs::last_write_time(folder / "snapshots/222", now + std::chrono::seconds(1));
  EXPECT_EQ(find_model(folder).paths.weights, folder / "snapshots/222");
  EXPECT_THAT(find_model(folder).note, HasSubstr("the newest, 222"));
  fs::remove_all(folder / "snapshots/222");
  fs::remove(folder / "snapshots/111/config.json");
  EXPECT_THAT(message_of<IoError>([&] { find_model(folder); }), HasSubstr("download"));
}

TEST_F(ModelPathsOf, RunFilesNameModelsInTheSameWay) {
  const RunPaths run = train(true);
  Json file = inputs_.distillation_file();
  file["student"] = {{"init", "run"}};
  file["experts"][0]["model"] = "run/checkpoints/step-00000008";
  file["experts"][1]["model"] = "run";
  const RunConfig config = inputs_.config(file);
  EXPECT_EQ(config.student.init, run.model());
  EXPECT_EQ(config.student.tokenizer, run.model());
  EXPECT_EQ(config.experts[1].model, run.model());
  EXPECT_TRUE(config.notes.empty());
  const RunPaths second{inputs_.directory / "second"};
  EXPECT_TRUE(distill(config, second.directory, /*resume=*/false, no_events()).complete);
  fs::remove_all(run.model());
  EXPECT_THAT(inputs_.config(file).notes.at(0), HasSubstr("step-00000012"));
}

TEST_F(ModelPathsOf, ARunDoesNotBeginInAModelThatItReads) {
  for (const char* out : {"expert/new", "expert/../expert/new", "link/new"}) {
    fs::remove(inputs_.directory / "link");
    fs::create_directory_symlink(inputs_.directory / "expert", inputs_.directory / "link");
    EXPECT_THAT(message_of<ConfigError>([&] {
                  distill(inputs_.config(inputs_.distillation_file()), inputs_.directory / out,
                          /*resume=*/false, no_events());
                }),
                HasSubstr("expert, which is read"));
    EXPECT_FALSE(fs::exists(inputs_.directory / "expert/new"));
  }
}

TEST_F(ModelPathsOf, NoFileOfAModelIsOverwritten) {
  const fs::path directory = inputs_.directory / "expert";
  write_file(directory / "README.md", "");
  write_file(directory / "logits.safetensors", "");
  const auto files = files_of_model(find_model(directory).paths);
  fs::create_hard_link(directory / "model.safetensors", inputs_.directory / "hard");
  fs::create_symlink(directory / "model.safetensors", inputs_.directory / "soft");
  for (const fs::path& out :
       {directory / "model.safetensors", directory / "config.json", directory / "README.md",
        directory / "." / ".." / "expert" / "model.safetensors", inputs_.directory / "hard",
        inputs_.directory / "soft"}) {
    EXPECT_THAT(message_of<ConfigError>([&] { require_not_among("--out", out, files); }),
                HasSubstr("--out " + out.string() + " would overwrite "));
  }
  EXPECT_NO_THROW(require_not_among("--out", directory / "logits.safetensors", files));
  EXPECT_NO_THROW(require_not_among("--out", inputs_.directory / "new", files));
}

TEST(PassMemory, CountsWhatThePassKeeps) {
  const auto model = make_language_model(ModelConfig::parse(testing::tiny_config(50), "tiny"));
  const auto bytes = [&](Pass pass, std::int64_t tokens) {
    return pass_memory(*model, pass, tokens).required();
  };
  // 2 layers of 2 heads of 4: keys and values.
  EXPECT_EQ(bytes(Pass::generate, 100) - bytes(Pass::logits, 100), 100u * 2 * 2 * 2 * 4 * 4);
  EXPECT_EQ(bytes(Pass::logits, 200), 2 * bytes(Pass::logits, 100));
  EXPECT_GT(bytes(Pass::gradients, 100), bytes(Pass::generate, 100));
  EXPECT_NO_THROW(require_memory_for_pass(*model, Pass::generate, 100, "the prompt"));
  EXPECT_THAT(
      message_of<Error>([&] {
        require_memory_for_pass(*model, Pass::generate, std::int64_t{1} << 40, "the prompt");
      }),
      HasSubstr("the prompt has 1,099,511,627,776 tokens, for which the model needs about "));
}

}  // namespace
}  // namespace gladius::train
