// `gladius generate --chat`: conversations from the command line, files and the standard input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "gladius/models/model_directory.h"
#include "program/program_fixture.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ProgramResult;
using testing::read_file;
using ::testing::StartsWith;
using testing::write_file;
using Json = nlohmann::ordered_json;

class Chat : public ::testing::Test {
 protected:
  Chat() { testing::save_small_chat_model(directory_ / "chat"); }
  std::string path(const char* name) const { return (directory_ / name).string(); }
  ProgramResult run(const std::vector<std::string>& arguments,
                    const std::string& input = "") const {
    return testing::run_program(directory_.path(), arguments, input);
  }
  // The prompt that the model was given, as text.
  std::string prompt_of(const nlohmann::json& answer) const {
    std::string ids;
    for (const auto& id : answer["prompt_ids"]) ids += (ids.empty() ? "" : ",") + id.dump();
    const ProgramResult text =
        run({"tokenize", "--tokenizer", path("chat"), "--decode", ids, "--json"});
    return nlohmann::json::parse(text.out)["text"];
  }
  // Makes the model say this token, again and again: its layers add nothing, its head knows one
  // row.
  void always_say(std::int64_t id) const {
    NamedTensors state = load_model(directory_ / "chat", {.trainable = true})->state_dict();
    const ModelConfig config = ModelConfig::load(directory_ / "chat");
    for (auto& [name, tensor] : state) {
      const auto hidden = config.hidden_size;
      if (name == "model.embed_tokens.weight" || name == "model.norm.weight") {
        tensor = Tensor::full(tensor.shape(), 1.0F);
      } else if (name == "lm_head.weight") {
        std::vector<float> rows(static_cast<std::size_t>(tensor.numel()), 0);
        std::fill_n(rows.begin() + id * hidden, hidden, 1.0F);
        tensor = Tensor::from(rows, tensor.shape());
      } else if (name.ends_with("proj.weight")) {
        tensor = Tensor::full(tensor.shape(), 0.0F);
      }
    }
    const auto model = make_language_model(config);
    model->load_state_dict(state);
    save_model(directory_ / "chat", *model, {.overwrite = true});
  }

  std::vector<std::string> arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"generate", "--model",          path("chat"), "--chat",
                                 "--greedy", "--max-new-tokens", "5"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  nlohmann::json answer(std::vector<std::string> more) const {
    more.push_back("--json");
    const ProgramResult result = run(arguments(std::move(more)));
    EXPECT_EQ(result.code, 0) << result.err;
    return nlohmann::json::parse(result.out);
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(Chat, ReadsTurnsUntilExit) {
  const ProgramResult result =
      run(arguments({"--json"}), "Hi\n\n  \nAnd \xff\r\n/exit\nnot read\n");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  std::istringstream documents(result.out);
  std::vector<nlohmann::json> turns;
  while (!(documents >> std::ws).eof()) documents >> turns.emplace_back();
  ASSERT_EQ(turns.size(), 2u);
  // The first turn is what --prompt gives; the second's prompt holds both messages and the answer.
  const ProgramResult alone = run(arguments({"--json", "--prompt", "Hi"}));
  const auto first = nlohmann::json::parse(alone.out);
  EXPECT_EQ(turns[0]["ids"], first["ids"]);
  EXPECT_EQ(turns[0]["prompt_ids"], first["prompt_ids"]);
  std::string ids;
  for (const auto& id : turns[1]["prompt_ids"]) {
    if (!ids.empty()) ids += ',';
    ids += id.dump();
  }
  const ProgramResult text =
      run({"tokenize", "--tokenizer", path("chat"), "--decode", ids, "--json", "--no-special"});
  const std::string said = nlohmann::json::parse(text.out)["text"];
  EXPECT_THAT(said, AllOf(HasSubstr("<|user|>\nHi"), HasSubstr("And \xef\xbf\xbd"),
                          HasSubstr(turns[0]["text"].get<std::string>())));
}

TEST_F(Chat, StreamsAnswersToTheEndOfTheInput) {
  const ProgramResult result = run(arguments(), "Hi\nthere");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith(run(arguments({"--prompt", "Hi"})).out));
  EXPECT_EQ(run(arguments(), "").out, "");
}

TEST_F(Chat, EndsAtTheTokenizersEosTokenWhateverTheModelNames) {
  always_say(2);  // </s>, which ends an answer in this template
  for (const char* generation : {R"({"eos_token_id": 7})", "{}"}) {
    write_file(directory_ / "chat/generation_config.json", generation);
    Json config = Json::parse(read_file(directory_ / "chat/config.json"));
    config["eos_token_id"] = nullptr;
    write_file(directory_ / "chat/config.json", config.dump());
    const auto chat = answer({"--prompt", "Hi"});
    EXPECT_EQ(chat["ids"], nlohmann::json({2})) << generation;
    EXPECT_EQ(chat["stopped_by"], "end_token");
    EXPECT_EQ(chat["text"], "");
    EXPECT_EQ(run(arguments({"--prompt", "Hi"})).out, "\n");
  }
  // Elsewhere the model's own settings decide.
  const ProgramResult text = run(
      {"generate", path("chat"), "--prompt", "Hi", "--greedy", "--json", "--max-new-tokens", "5"});
  EXPECT_EQ(nlohmann::json::parse(text.out)["ids"].size(), 5u);
}

TEST_F(Chat, TheTokenThatEndsATurnIsNoPartOfTheText) {
  const Json tokenizer = Json::parse(read_file(directory_ / "chat/tokenizer.json"));
  const std::int64_t id = 300;  // an ordinary token, which the template ends answers with
  std::string token;
  for (const auto& [text, number] : tokenizer["model"]["vocab"].items()) {
    if (number == id) token = text;
  }
  always_say(id);
  write_file(directory_ / "chat/generation_config.json", R"({"eos_token_id": 300})");
  const auto chat = answer({"--prompt", "Hi"});
  EXPECT_EQ(chat["ids"], nlohmann::json({id}));
  EXPECT_EQ(chat["text"], "") << token;
}

TEST_F(Chat, SystemMessageMessagesAndToolsAreRendered) {
  write_file(directory_ / "chat/chat_template.jinja",
             "{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}"
             "{% for m in messages %}{{ m.role }}: {{ m.content }}|{% endfor %}");
  write_file(directory_ / "messages.json",
             R"([{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}])");
  write_file(directory_ / "tools.json",
             R"([{"type": "function", "function": {"name": "add", "parameters": {}}}])");
  EXPECT_EQ(prompt_of(answer({"--system", "Be kind", "--prompt", "Hi"})),
            "system: Be kind|user: Hi|");
  EXPECT_EQ(prompt_of(answer({"--messages", path("messages.json"), "--prompt", "three"})),
            "user: one|assistant: two|user: three|");
  EXPECT_EQ(prompt_of(answer({"--messages", path("messages.json"), "--tools", path("tools.json"),
                              "--system", "Be kind"})),
            "[add]system: Be kind|user: one|assistant: two|");
  // Each means --chat.
  EXPECT_EQ(run({"generate", path("chat"), "--system", "x", "--ids", "1"}).code, 2);
  EXPECT_EQ(
      run({"generate", path("chat"), "--system", "Be kind", "--greedy", "--max-new-tokens", "5"},
          "Hi\n")
          .out,
      run(arguments({"--system", "Be kind", "--prompt", "Hi"})).out);
}

TEST_F(Chat, WhatDoesNotFitTogetherIsSaid) {
  write_file(directory_ / "tools.json",
             R"([{"type": "function", "function": {"name": "add", "parameters": {}}}])");
  EXPECT_THAT(run(arguments({"--prompt", "Hi", "--tools", path("tools.json")})).err,
              HasSubstr("gladius: warning: the chat template makes nothing of the tools"));
  write_file(directory_ / "messages.json",
             R"({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}],
                 "tools": [{"type": "function", "function": {"name": "add"}}]})");
  const auto says = [&](const std::vector<std::string>& more) {
    auto all = arguments({"--messages", path("messages.json")});
    all.insert(all.end(), more.begin(), more.end());
    const ProgramResult result = run(all);
    EXPECT_EQ(result.code, 1);
    return result.err;
  };
  EXPECT_THAT(says({"--system", "z"}), HasSubstr("begins with a system message"));
  EXPECT_THAT(says({"--tools", path("tools.json")}), HasSubstr("has tools as well"));
  write_file(directory_ / "messages.json", "[1]");
  EXPECT_THAT(says({}), AllOf(StartsWith("gladius: error: "), HasSubstr("messages.json")));
}

// The prompt fits, and the answer may not: told once, before the first answer.
TEST_F(Chat, AnAnswerThatMayPassTheModelsLengthIsToldBeforeTheWork) {
  Json config = Json::parse(read_file(directory_ / "chat/config.json"));
  config["max_position_embeddings"] = 60;
  write_file(directory_ / "chat/config.json", config.dump());
  const auto errors = [&](const std::vector<std::string>& more, const std::string& input = "") {
    std::vector<std::string> all{"generate", path("chat"), "--greedy"};
    all.insert(all.end(), more.begin(), more.end());
    const ProgramResult result = run(all, input);
    EXPECT_EQ(result.code, 0);
    return result.err;
  };
  EXPECT_EQ(errors({"--ids", "1,5,6", "--max-new-tokens", "57"}), "");
  EXPECT_EQ(errors({"--ids", "1,5,6", "--max-new-tokens", "58"}),
            "gladius: warning: the prompt has 3 tokens and up to 58 are generated, more than the "
            "model is made for (max_position_embeddings 60); --max-new-tokens 57 stays within "
            "that\n");
  const std::string chat = errors({"--chat", "--max-new-tokens", "55"}, "a\nb\n");
  EXPECT_EQ(chat.find("more than the model"), chat.rfind("more than the model")) << chat;
  EXPECT_THAT(chat, StartsWith("gladius: warning: the prompt has "));
}

TEST_F(Chat, ALongPromptIsToldBeforeTheWork) {
  Json config = Json::parse(read_file(directory_ / "chat/config.json"));
  config["max_position_embeddings"] = 8;
  write_file(directory_ / "chat/config.json", config.dump());
  EXPECT_THAT(run(arguments({"--prompt", "one two three four five six"})).err,
              HasSubstr("(max_position_embeddings 8)"));
  // Of 200,000 elements a token; the messages make a million tokens.
  config = Json::parse(read_file(directory_ / "chat/config.json"));
  config["intermediate_size"] = 1 << 16;
  write_file(directory_ / "wide.json", config.dump());
  ASSERT_EQ(run({"init", path("wide.json"), "--tokenizer", path("chat"), "--out", path("wide"),
                 "--dtype", "bf16"})
                .code,
            0);
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "a ";
  write_file(directory_ / "long.json", Json{{{"role", "user"}, {"content", text}}}.dump());
  const ProgramResult result =
      run({"generate", path("wide"), "--messages", path("long.json"), "--log-level", "error"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(StartsWith("gladius: error: the prompt has 2,000,0"),
                                HasSubstr(" tokens, for which the model needs about ")));
}

}  // namespace
}  // namespace gladius
