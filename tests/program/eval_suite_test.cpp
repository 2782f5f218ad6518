// `gladius eval --suite`: a suite of cases, answered and judged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program/program_fixture.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramResult;
using ::testing::StartsWith;
using testing::write_file;
using Json = nlohmann::ordered_json;

// A model of random weights with the default student's tokenizer, and a suite.
class EvalSuite : public ::testing::Test {
 protected:
  EvalSuite() { testing::save_small_chat_model(directory_ / "model"); }
  std::string path(const char* name) const { return (directory_ / name).string(); }
  ProgramResult run(const std::vector<std::string>& arguments) const {
    return testing::run_program(directory_.path(), arguments);
  }
  ProgramResult eval(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{
        "eval", "--model", path("model"), "--suite", path("s"), "--max-new-tokens", "6"};
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  }
  Json eval_json(std::vector<std::string> more = {}) const {
    more.emplace_back("--json");
    const ProgramResult result = eval(more);
    EXPECT_EQ(result.code, 0) << result.err;
    return Json::parse(result.out);
  }
  // What the model says to this, with generate.
  std::string answer_to(const std::string& prompt) const {
    const ProgramResult result = run({"generate", "--model", path("model"), "--chat", "--greedy",
                                      "--max-new-tokens", "6", "--prompt", prompt, "--json"});
    EXPECT_EQ(result.code, 0) << result.err;
    return Json::parse(result.out)["text"];
  }
  static Json make_case(const char* id, const char* category, const std::string& prompt,
                        const Json& expect) {
    return {{"id", id},
            {"category", category},
            {"messages", Json::array({{{"role", "user"}, {"content", prompt}}})},
            {"expect", expect}};
  }
  void write_suite(const std::vector<Json>& cases) const {
    std::string text;
    for (const Json& one : cases) text += one.dump() + "\n";
    write_file(path("s"), text);
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(EvalSuite, GreedyAnswersAreJudged) {
  const std::string first = answer_to("Hello"), second = answer_to("What is the time?");
  write_suite(
      {make_case("t1", "texts", "Hello", {{"text", {first}}}),
       make_case("t2", "texts", "What is the time?", {{"text", {"wrong", second}}}),
       make_case("t3", "texts", "Hello", {{"text", {first + "x"}}}),
       make_case("c1", "tools", "Hello", {{"call", {{"name", "f"}, {"arguments", {{"a", {1}}}}}}}),
       make_case("r1", "expressions", "Hello", {{"regex", "."}})});
  const Json report = eval_json({"--failures"});
  EXPECT_EQ(report["cases"], 5);
  EXPECT_EQ(report["all_right"], 3);
  EXPECT_EQ(report["categories"]["texts"]["cases"], 3);
  EXPECT_EQ(report["categories"]["texts"]["all_right"], 2);
  EXPECT_EQ(report["categories"]["tools"]["parsed"], 0);
  EXPECT_EQ(report["categories"]["tools"]["name_right"], 0);
  EXPECT_EQ(report["max_new_tokens"], 6);
  EXPECT_EQ(report["ceiling"]["cases"], 4);
  EXPECT_EQ(report["ceiling"]["all_right"], 4);
  EXPECT_EQ(report["ceiling"]["unknown"], 1);
  ASSERT_EQ(report["answers"].size(), 5u);
  EXPECT_EQ(report["answers"][0]["output"], first);
  EXPECT_EQ(report["answers"][1]["output"], second);
  EXPECT_EQ(report["answers"][2]["right"], false);
  EXPECT_FALSE(eval_json().contains("answers"));

  const ProgramResult text = eval({"--failures"});
  EXPECT_EQ(text.err, "");
  EXPECT_THAT(text.out,
              AllOf(StartsWith("category"), HasSubstr("2 of 3"), HasSubstr("0 of 1"),
                    HasSubstr("20.8% to 93.9%"),  // 2 of 3
                    HasSubstr("ceiling: 4 of 4 right answers"), HasSubstr("t3 (texts): another"),
                    HasSubstr("c1 (tools): no call could be read\n  expected  a call of \"f\""),
                    Not(HasSubstr("t1 (texts)"))));
  EXPECT_THAT(eval().out, Not(HasSubstr("c1 (tools)")));
}

TEST_F(EvalSuite, TheLeaderboardsFilesAreReadAsTheyAre) {
  write_file(path("s"),
             R"({"id": "simple_python_0", "question": [[{"role": "user", "content": "Hello"}]], )"
             R"("function": [{"name": "f", "parameters": {"type": "dict", "properties": {}, )"
             R"("required": []}}]})"
             "\n"
             R"({"id": "parallel_0", "question": [[{"role": "user", "content": "Hello"}]], )"
             R"("function": [{"name": "f", "parameters": {"type": "dict", "properties": {}}}]})");
  write_file(path("answers"), R"({"id": "simple_python_0", "ground_truth": [{"f": {}}]})"
                              "\n"
                              R"({"id": "parallel_0", "ground_truth": [{"f": {}}, 1]})");
  const ProgramResult result = eval({"--answers", path("answers"), "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(Json::parse(result.out)["categories"]["simple_python"]["cases"], 1);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("skipped 1 of 2 cases: 1 with answers of another form\n"),
                    HasSubstr("warning: the chat template makes nothing of the tools")));
  EXPECT_THAT(eval().err, HasSubstr("with --answers"));
}

TEST_F(EvalSuite, WhatIsWrongIsToldInALine) {
  write_file(path("s"), "{\"id\": \"1\"}\n");
  const ProgramResult bad = eval();
  EXPECT_EQ(bad.code, 1);
  EXPECT_EQ(bad.out, "");
  EXPECT_EQ(bad.err, "gladius: error: " + path("s") + ":1: there is no \"expect\"\n");
  EXPECT_EQ(run({"eval", path("model")}).code, 2);
  EXPECT_EQ(eval({"--data", path("s")}).code, 2);
  EXPECT_EQ(run({"eval", path("model"), "--data", path("s"), "--failures"}).code, 2);
  EXPECT_EQ(eval({"--max-seq-len", "7"}).code, 2);
  write_suite({make_case("x", "c", "Hello", {{"refusal", true}})});
  write_file(path("model/chat_template.jinja"), "{{ raise_exception('no') }}");
  EXPECT_THAT(eval().err, StartsWith("gladius: error: case \"x\": "));
  std::filesystem::remove(path("model/chat_template.jinja"));
  EXPECT_THAT(eval().err, HasSubstr("has no chat template"));
}

TEST_F(EvalSuite, Retrieval) {
  const std::vector<std::string> arguments{
      "eval",  "--model", path("model"), "--retrieval", "--lengths", "280,300",          "--depths",
      "0,100", "--cases", "2",           "--seed",      "3",         "--max-new-tokens", "4"};
  auto with_json = arguments;
  with_json.insert(with_json.end(), {"--json", "--failures"});
  const ProgramResult result = run(with_json);
  ASSERT_EQ(result.code, 0) << result.err;
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["cases"], 8);
  EXPECT_EQ(report["right"], 0);
  EXPECT_EQ(report["interval"][0], 0);
  ASSERT_EQ(report["cells"].size(), 4U);
  EXPECT_EQ(report["cells"][1]["length"], 280);
  EXPECT_EQ(report["cells"][1]["depth"], 100);
  EXPECT_EQ(report["cells"][1]["cases"], 2);
  EXPECT_EQ(report["cells"][1]["reach"], "trained");
  EXPECT_EQ(report["answers"].size(), 8U);
  EXPECT_EQ(run(with_json).out, result.out);
  EXPECT_THAT(run(arguments).out,
              AllOf(HasSubstr("0 of 2"), HasSubstr("0 of 8"), HasSubstr("value alone")));
  const ProgramResult failed =
      run({"eval", "--model", path("model"), "--retrieval", "--lengths", "12"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.err, HasSubstr("--lengths 12: the facts and the question alone have"));
  const std::vector<std::vector<std::string>> wrong{
      {"--retrieval", "--suite", path("s")},   {"--lengths", "256"},
      {"--retrieval", "--depths", "101"},      {"--retrieval", "--cases", "0"},
      {"--retrieval", "--lengths", "nothing"}, {"--data", path("s"), "--failures"}};
  for (auto more : wrong) {
    more.insert(more.begin(), {"eval", "--model", path("model")});
    EXPECT_EQ(run(more).code, 2) << more[3];
  }
}

}  // namespace
}  // namespace gladius
