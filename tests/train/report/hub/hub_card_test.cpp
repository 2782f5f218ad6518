#include "gladius/train/report/hub/hub_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::read_file;
using testing::TinyRun;
using testing::write_file;

class HubCard : public ::testing::Test {
 protected:
  fs::path out() const { return run_.directory / "out"; }
  fs::path card_file() const { return out() / "model" / "README.md"; }
  std::string card() const { return read_file(card_file()); }

  Json file() const {
    Json file = run_.distillation_file();
    file["data"]["eval"] = "data.jsonl";
    return file;
  }
  void expect_complete(const Json& file, bool resume) const {
    EXPECT_TRUE(execute(run_.config(file), out(), resume).complete);
  }

  TinyRun run_;
};

TEST_F(HubCard, IsWrittenWithTheModel) {
  expect_complete(file(), false);
  EXPECT_THAT(card(), AllOf(HasSubstr("---\nlicense: \"unknown\"\n"),
                            HasSubstr("\n---\n\n# out\n\nA language model that Gladius"),
                            HasSubstr("by knowledge distillation from expert. It began with random "
                                      "weights. It has learned from "),
                            HasSubstr(" tokens in 13 steps.\n"), HasSubstr("\n## Model\n"),
                            HasSubstr("\n## Training method\n"), HasSubstr("| one | expert |"),
                            HasSubstr("\n## Results\n"), HasSubstr("| student, trained | "),
                            HasSubstr("\n## How to use it\n"), HasSubstr("--ids 1,2,3"),
                            HasSubstr("\n## Limits\n"), HasSubstr("\n## License\n")));
  EXPECT_THAT(card(), Not(HasSubstr(run_.directory.path().string())));
  EXPECT_EQ(hub_card(RunPaths{out()}, out() / "model"), card());
}

TEST_F(HubCard, OfARunThatIsNotEvaluatedSaysSo) {
  expect_complete(run_.run_file(), false);
  EXPECT_THAT(card(), AllOf(HasSubstr("it was not evaluated."), HasSubstr("trained on data alone"),
                            Not(HasSubstr("model-index")), Not(HasSubstr("base_model"))));
}

TEST_F(HubCard, ShowsTheUseThatItsFilesAllow) {
  expect_complete(run_.run_file(), false);
  testing::write_tiny_tokenizer(out() / "model");
  EXPECT_THAT(hub_card(RunPaths{out()}, out() / "model"),
              AllOf(HasSubstr("--prompt"), Not(HasSubstr("--chat"))));
  write_file(out() / "model" / "chat_template.jinja", "{{ messages }}");
  EXPECT_THAT(hub_card(RunPaths{out()}, out() / "model"),
              AllOf(HasSubstr("--chat"), HasSubstr("apply_chat_template")));
}

TEST_F(HubCard, IsMadeAgainAsItWas) {
  expect_complete(file(), false);
  const std::string before = card(), manifest = read_file(out() / "model.json");
  expect_complete(file(), true);
  EXPECT_EQ(card(), before);
  fs::remove(card_file());
  expect_complete(file(), true);
  EXPECT_EQ(card(), before);
  fs::remove_all(out() / "model");  // made again from the last checkpoint
  expect_complete(file(), true);
  EXPECT_EQ(card(), before);
  EXPECT_EQ(read_file(out() / "model.json"), manifest);
}

TEST_F(HubCard, IsThatOfARunThatWasStopped) {
  expect_complete(file(), false);
  const std::string whole = card();
  fs::remove_all(out());
  EXPECT_FALSE(execute(run_.config(file()), out(), false, 5).complete);
  EXPECT_FALSE(fs::exists(card_file()));
  expect_complete(file(), true);
  EXPECT_EQ(card(), whole);
}

TEST_F(HubCard, TakesWhatTheRunFileSaysLater) {
  expect_complete(file(), false);
  Json licensed = file();
  licensed["card"] = {{"license", "apache-2.0"}, {"language", "en"}};
  expect_complete(licensed, true);
  EXPECT_THAT(card(), AllOf(HasSubstr("license: \"apache-2.0\"\nlanguage:\n- \"en\"\n"),
                            HasSubstr("apache-2.0, as the run file has it.")));
}

TEST_F(HubCard, KeepsTheNameOfTheDataThatWasEvaluated) {
  expect_complete(file(), false);
  const std::string before = card();
  fs::remove_all(out() / "checkpoints");  // so that nothing can be evaluated again
  const std::string data = read_file(run_.directory / "data.jsonl");
  write_file(run_.directory / "other.jsonl", data + data);
  Json other = file();
  other["data"]["eval"] = "other.jsonl";
  expect_complete(other, true);
  EXPECT_EQ(card(), before);
}

TEST_F(HubCard, AHandsChangesStay) {
  expect_complete(file(), false);
  const std::string weights = testing::weights(out());
  write_file(card_file(), "mine");
  std::vector<std::string> warnings;
  EXPECT_TRUE(execute(run_.config(file()), out(), true, -1, &warnings).complete);
  EXPECT_THAT(warnings, ::testing::IsEmpty());
  EXPECT_EQ(card(), "mine");
  EXPECT_EQ(testing::weights(out()), weights);
}

TEST_F(HubCard, AModelOfAnEarlierVersionGetsOne) {
  expect_complete(file(), false);
  const std::string before = card();
  Json manifest = Json::parse(read_file(out() / "model.json"));
  manifest.erase("card");
  write_file(out() / "model.json", manifest.dump(2) + "\n");
  fs::remove(card_file());
  expect_complete(file(), true);
  EXPECT_EQ(card(), before);
  fs::remove(card_file());
  fs::remove(out() / "model.json");
  expect_complete(file(), true);
  EXPECT_EQ(card(), before);
  EXPECT_FALSE(fs::exists(out() / "model.json"));
}

}  // namespace
}  // namespace gladius::train
