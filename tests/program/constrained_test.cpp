// `generate --json-schema`, `--tool-choice required` and `eval --suite --constrained`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "gladius/train/behaviour/call_reader.h"
#include "gladius/train/behaviour/json_schema.h"
#include "program/program_fixture.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ProgramResult;
using testing::write_file;
using Json = nlohmann::ordered_json;

const char* const kCity =
    R"({"type": "object", "properties": {"city": {"type": "string", "maxLength": 30},)"
    R"( "people": {"type": "integer", "minimum": 0}}, "required": ["city", "people"]})";
const char* const kWeather =
    R"([{"name": "weather", "parameters": {"type": "object", "properties": {"city":)"
    R"( {"type": "string"}}, "required": ["city"]}}])";

// A model of random weights with the default student's tokenizer, of the byte-fallback kind.
class Constrained : public testing::Program {
 protected:
  Constrained() {
    testing::save_small_chat_model(directory_ / "chat");
    write_file(path("schema"), kCity);
    write_file(path("tools"), kWeather);
  }
  std::vector<std::string> generate(std::vector<std::string> more) const {
    std::vector<std::string> all{"generate", "--model", path("chat"), "--prompt", "A city"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Json answer(std::vector<std::string> more) const {
    more.emplace_back("--json");
    const ProgramResult result = run(generate(std::move(more)));
    EXPECT_EQ(result.code, 0) << result.err;
    return Json::parse(result.out);
  }
};

TEST_F(Constrained, AnswersFitTheSchemaWhateverTheModelWouldSay) {
  const Json schema = Json::parse(kCity);
  for (const char* seed : {"1", "2", "3"}) {
    for (const char* most : {"40", "120"}) {
      for (const char* chat : {"--chat", "--greedy"}) {
        const Json said = answer({"--json-schema", path("schema"), "--seed", seed, chat,
                                  "--max-new-tokens", most, "--temperature", "2"});
        const std::string text = said["text"];
        EXPECT_EQ(train::fault_by_schema(schema, Json::parse(text)), "") << text;
        EXPECT_NE(said["stopped_by"], "max_new_tokens") << text;
      }
    }
  }
}

TEST_F(Constrained, EachTurnOfAChatIsAnAnswer) {
  const ProgramResult result =
      run({"generate", path("chat"), "--chat", "--json-schema", path("schema"), "--json"},
          "One\nTwo\n");
  ASSERT_EQ(result.code, 0) << result.err;
  std::istringstream documents(result.out);
  int turns = 0;
  for (Json document; !(documents >> std::ws).eof(); ++turns) {
    documents >> document;
    EXPECT_TRUE(Json::accept(document["text"].get<std::string>())) << document;
  }
  EXPECT_EQ(turns, 2);
}

TEST_F(Constrained, AToolIsCalledWhereItIsRequired) {
  const Json said = answer({"--tools", path("tools"), "--tool-choice", "required"});
  const auto calls = train::read_calls(said["text"].get<std::string>());
  ASSERT_EQ(calls.size(), 1u) << said;
  EXPECT_EQ(calls[0].name, "weather");
  EXPECT_TRUE(calls[0].arguments["city"].is_string());
  EXPECT_EQ(answer({"--tools", path("tools"), "--tool-choice", "auto"})["text"],
            answer({"--tools", path("tools")})["text"]);
}

TEST_F(Constrained, WhatCannotBeIsToldInALine) {
  const auto with_schema = [&](const char* text, std::vector<std::string> more = {}) {
    write_file(path("bad"), text);
    more.insert(more.begin(), {"--json-schema", path("bad")});
    return generate(std::move(more));
  };
  expect_failure(with_schema(R"x({"type": "string", "pattern": "(?=x)"})x"),
                 "an answer cannot be constrained to a look-around");
  expect_failure(with_schema(R"({"oneOf": []})"), "the keyword \"oneOf\"");
  expect_failure(with_schema("["), "bad");
  expect_failure(with_schema(R"({"const": "Oslo in Norway"})", {"--max-new-tokens", "2"}),
                 "--max-new-tokens 2: the shortest answer that fits has");
  for (const char* choice : {"required", "auto"}) {
    expect_failure(generate({"--chat", "--tool-choice", choice}), "there are no tools to call");
  }
  EXPECT_EQ(run(generate({"--tool-choice", "sometimes"})).code, 2);
  EXPECT_EQ(run(generate({"--json-schema", path("schema"), "--tool-choice", "required"})).code, 2);
  EXPECT_EQ(run({"generate", path("chat"), "--ids", "1", "--json-schema", path("schema")}).code, 2);
}

TEST_F(Constrained, ASuiteIsAnsweredWithAndWithout) {
  const Json messages = Json::array({{{"role", "user"}, {"content", "Hello"}}});
  const auto one = [&](const char* id, const Json& expect, const Json& tools = nullptr) {
    Json line{{"id", id}, {"category", "c"}, {"messages", messages}, {"expect", expect}};
    if (!tools.is_null()) line["tools"] = tools;
    return line.dump() + "\n";
  };
  write_file(path("s"),
             one("json", {{"schema", Json::parse(kCity)}}) +
                 one("call", {{"call", {{"name", "weather"}, {"arguments", {{"city", {"Oslo"}}}}}}},
                     Json::parse(kWeather)) +
                 one("pattern", {{"schema", {{"pattern", "(?=x)"}, {"type", "string"}}}}) +
                 one("text", {{"text", {"Hi"}}}));
  std::vector<std::string> arguments{"eval",    "--model",          path("chat"), "--suite",
                                     path("s"), "--max-new-tokens", "40",         "--constrained"};
  const ProgramResult text = run(arguments);
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, AllOf(HasSubstr("with and without the constraint"), HasSubstr("free"),
                              HasSubstr("constrained"), HasSubstr("2 of 2")));
  EXPECT_THAT(text.err,
              HasSubstr("1 case is not constrained: schema: \"pattern\" \"(?=x)\": an answer "
                        "cannot be constrained to a look-around"));
  arguments.insert(arguments.end(), {"--json", "--failures"});
  const Json report = Json::parse(run(arguments).out);
  EXPECT_EQ(report["cases"], 4);
  EXPECT_EQ(report["constraint"]["free"]["cases"], 2);
  EXPECT_EQ(report["constraint"]["free"]["answers"][0]["output"], report["answers"][0]["output"]);
  EXPECT_EQ(report["constraint"]["constrained"]["parsed"], 2);
  EXPECT_EQ(report["constraint"]["constrained"]["answers"][0]["right"], true);
  EXPECT_EQ(report["constraint"]["left_out"].size(), 1u);
  EXPECT_EQ(run({"eval", path("chat"), "--data", path("s"), "--constrained"}).code, 2);
}

}  // namespace
}  // namespace gladius
