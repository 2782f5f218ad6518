// `gladius generate --batch`: a model writes data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "gladius/tensor/base/text_file.h"
#include "program/program_fixture.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::ProgramResult;
using testing::write_file;
using Json = nlohmann::ordered_json;

class GenerateBatchCommand : public ::testing::Test {
 protected:
  GenerateBatchCommand() { testing::save_small_chat_model(directory_ / "model"); }

  std::string path(const char* name) const { return (directory_ / name).string(); }
  ProgramResult run(const std::vector<std::string>& arguments) const {
    return testing::run_program(directory_.path(), arguments);
  }
  ProgramResult batch(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"generate", "--model",   path("model"),      "--batch", path("p"),
                                 "--out",    path("out"), "--max-new-tokens", "6"};
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  }
  // What is written for the lines.
  std::vector<Json> written(const std::vector<Json>& lines,
                            const std::vector<std::string>& more = {"--greedy", "--keep-cut"}) {
    std::string text;
    for (const Json& line : lines) text += line.dump() + "\n";
    write_file(path("p"), text);
    std::filesystem::remove(path("out"));
    const ProgramResult result = batch(more);
    EXPECT_EQ(result.code, 0) << result.err;
    err_ = result.err;
    std::vector<Json> found;
    std::istringstream stream(read_text_file(path("out")));
    for (std::string line; std::getline(stream, line);) found.push_back(Json::parse(line));
    return found;
  }
  // What the model says by itself.
  std::string alone(std::vector<std::string> arguments) const {
    for (const char* more : {"--greedy", "--max-new-tokens", "6", "--json"}) {
      arguments.emplace_back(more);
    }
    arguments.insert(arguments.begin(), {"generate", "--model", path("model")});
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.code, 0) << result.err;
    return Json::parse(result.out)["text"];
  }
  static Json chat(const std::string& text) {
    return {{"messages", Json::array({{{"role", "user"}, {"content", text}}})}};
  }

  testing::TemporaryDirectory directory_;
  std::string err_;
};

TEST_F(GenerateBatchCommand, EachLineGetsItsAnswer) {
  Json with_id = chat("How are you?");
  with_id["id"] = 7;
  Json answered = chat("Hello");
  answered["messages"].push_back({{"role", "assistant"}, {"content", "of another"}});
  const auto lines = written({chat("Hello"), with_id, {{"text", "The sky is"}}, answered},
                             {"--greedy", "--keep-cut", "--batch-size", "2"});
  ASSERT_EQ(lines.size(), 4u) << err_;
  const std::string hello = alone({"--chat", "--prompt", "Hello"});
  EXPECT_EQ(lines[0]["messages"].size(), 2u);
  EXPECT_EQ(lines[0]["messages"][1], (Json{{"role", "assistant"}, {"content", hello}}));
  EXPECT_EQ(lines[1]["id"], 7);
  EXPECT_EQ(lines[1]["messages"][1]["content"], alone({"--chat", "--prompt", "How are you?"}));
  EXPECT_EQ(lines[2]["text"], "The sky is" + alone({"--prompt", "The sky is"}));
  EXPECT_EQ(lines[3], lines[0]);
  EXPECT_THAT(err_, HasSubstr("out: 4 answers, "));
}

TEST_F(GenerateBatchCommand, CutAnswersAreLeftOut) {
  std::vector<Json> prompts;
  for (int i = 0; i < 12; ++i) prompts.push_back({{"text", "a" + std::to_string(i)}});
  const auto kept = written(prompts, {"--keep-cut", "--seed", "3"});
  EXPECT_EQ(kept.size(), 12u);
  const auto whole = written(prompts, {"--seed", "3"});
  ASSERT_LT(whole.size(), 12u);
  EXPECT_THAT(err_, HasSubstr("left out " + std::to_string(12 - whole.size()) +
                              " of 12 answers, cut at 6 tokens"));
  // The draws do not depend on how many are generated at once.
  EXPECT_EQ(written(prompts, {"--keep-cut", "--seed", "3", "--batch-size", "5"}), kept);
}

TEST_F(GenerateBatchCommand, WhatIsWrongIsToldInALine) {
  const auto failure = [&](const std::string& prompts) {
    write_file(path("p"), prompts);
    const ProgramResult result = batch();
    EXPECT_EQ(result.code, 1);
    EXPECT_FALSE(std::filesystem::exists(path("out")));
    return result.err;
  };
  EXPECT_EQ(failure("{\"text\": \"a\"}\n{\"a\": 1}\n"),
            "gladius: error: " + path("p") + ":2: there are neither \"messages\" nor a \"text\"\n");
  EXPECT_THAT(failure("[1]\n"), HasSubstr(":1: not an object"));
  EXPECT_THAT(failure("{\"text\"\n"), HasSubstr(":1: "));
  EXPECT_THAT(failure("\n"), HasSubstr("there is no prompt"));
  EXPECT_THAT(failure("{\"messages\": []}\n"), HasSubstr(":1: "));
  write_file(path("p"), "{\"text\": \"a\"}\n");
  write_file(path("out"), "precious");
  EXPECT_THAT(batch().err, HasSubstr("there is such a file already"));
  EXPECT_EQ(read_text_file(path("out")), "precious");
  EXPECT_EQ(batch({"--prompt", "x"}).code, 2);
  EXPECT_EQ(run({"generate", path("model"), "--batch", path("p")}).code, 2);
  EXPECT_EQ(run({"generate", path("model"), "--out", path("p")}).code, 2);
}

}  // namespace
}  // namespace gladius
