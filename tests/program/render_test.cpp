// gladius render as its users run it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "run_program.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::ProgramResult;
using testing::write_file;

constexpr const char* kMessages =
    R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}])";

class Render : public ::testing::Test {
 protected:
  ProgramResult render(std::vector<std::string> arguments, const std::string& input = "") const {
    const std::vector<std::string> begin{"render", "--model", tokenizer_};
    arguments.insert(arguments.begin(), begin.begin(), begin.end());
    return testing::run_program(directory_.path(), arguments, input);
  }
  std::string path(const char* name) const { return directory_ / name; }

  const std::string tokenizer_ = GLADIUS_SOURCE_DIR "/configs/default/tokenizer";
  testing::TemporaryDirectory directory_;
};

TEST_F(Render, MarksTheLabelledTokens) {
  const ProgramResult result = render({"--messages", "-", "--loss-on", "assistant"}, kMessages);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out,
            "<|user|>\nHi</s>\n<|assistant|>\n[[Hello.</s>\n]]\n\n"
            "tokens: 11, 7 of them with a label (marked above)\n"
            "ids: 470,2564,2,420,1086,570,338,273,2,390,259\n"
            "labels: -100,-100,-100,1086,570,338,273,2,390,259,-100\n");
}

TEST_F(Render, PrintsJson) {
  write_file(path("chat.json"), std::string("{\"messages\": ") + kMessages + "}");
  const ProgramResult result = render({"--messages", path("chat.json"), "--json"});
  EXPECT_EQ(result.code, 0) << result.err;
  const auto document = nlohmann::json::parse(result.out);
  EXPECT_EQ(document["text"], "<|user|>\nHi</s>\n<|assistant|>\nHello.</s>\n");
  EXPECT_EQ(document["ids"].size(), 11u);
  EXPECT_EQ(document["labels"][0], document["ids"][1]);
  EXPECT_EQ(document["labels"][10], -100);
}

TEST_F(Render, ToolsThatTheTemplateIgnoresAreReported) {
  write_file(path("tools.json"), R"([{"name": "f"}])");
  const ProgramResult result =
      render({"--messages", "-", "--tools", path("tools.json")}, kMessages);
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("gladius: warning: the chat template ignores \"tools\"; give"));
}

TEST_F(Render, WrongInputIsNamed) {
  const auto says = [&](const ProgramResult& result, int code, const std::string& what) {
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(what));
    EXPECT_EQ(result.out, "");
  };
  write_file(path("tools.json"), R"({"name": "f"})");
  says(render({"--messages", "-", "--tools", path("tools.json")}, kMessages), 1,
       path("tools.json") + ": \"tools\" is not a list of tools, it is {\"name\":\"f\"}");
  says(render({"--messages", "-"}, "[1]"), 1, "standard input: \"messages\" holds 1");
  says(render({"--messages", "-"}, "["), 1, "standard input: not valid JSON");
  says(render({"--messages", path("none")}), 1, path("none") + ": No such file");
  says(render({"--messages", "-", "--loss-on", "user"}, kMessages), 2, "--loss-on");
  says(render({}), 2, "--messages");
}

}  // namespace
}  // namespace gladius
