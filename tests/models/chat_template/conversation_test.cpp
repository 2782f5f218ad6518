#include "gladius/models/chat_template/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/tensor/base/error.h"
#include "support/message_of.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;
using testing::message_of;

const Json kTools = Json::parse(
    R"([{"type": "function", "function": {"name": "f"}}, {"name": "g", "parameters": {}}])");

TEST(Conversation, ToolsAreAListOfSchemasOrItsText) {
  EXPECT_EQ(parse_tools(kTools), kTools);
  EXPECT_EQ(parse_tools(kTools.dump()), kTools);
  EXPECT_EQ(parse_tools(Json::array({kTools[0].dump(), kTools[1]})), kTools);
  EXPECT_EQ(parse_tools(Json::array()), Json::array());
  EXPECT_TRUE(parse_tools(nullptr).is_null());
  EXPECT_TRUE(parse_tools("null").is_null());
}

TEST(Conversation, WhatIsNoListOfSchemasIsRefused) {
  const auto says = [](const Json& tools) {
    return message_of<FormatError>([&] { parse_tools(tools); });
  };
  EXPECT_THAT(says("get_weather"), HasSubstr(R"("tools" is the text "get_weather", which is not)"));
  EXPECT_THAT(says(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(says(kTools[0]), HasSubstr("\"tools\" is not a list of tools, it is {\"type\""));
  EXPECT_THAT(says(kTools[0].dump()), HasSubstr("\"tools\" is not a list of tools"));
  EXPECT_THAT(says(5), HasSubstr("it is 5"));
  EXPECT_THAT(says(Json::array({kTools[0], 5})), HasSubstr("\"tools\" holds 5, which is not a"));
  EXPECT_THAT(says({"get_weather"}), HasSubstr("an element of \"tools\" is the text"));
  EXPECT_THAT(says(R"(["[]"])"), HasSubstr("\"tools\" holds [], which is not a tool"));
}

TEST(Conversation, CallsMayBeTextAndArgumentsStayAsTheyAre) {
  const Json messages = Json::parse(R"([{"role": "user", "content": "a"},
    {"role": "assistant", "content": null,
     "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\": 1}"}}]}])");
  EXPECT_EQ(parse_messages(messages), messages);
  EXPECT_EQ(parse_messages(messages.dump()), messages);
  Json as_text = messages;
  as_text[1]["tool_calls"] = messages[1]["tool_calls"].dump();
  EXPECT_EQ(parse_messages(as_text), messages);
  as_text[1]["tool_calls"] = nullptr;
  EXPECT_EQ(parse_messages(as_text), as_text);
}

TEST(Conversation, WhatIsNoConversationIsRefused) {
  const auto says = [](const char* value) {
    return message_of<FormatError>([&] { parse_conversation(Json::parse(value)); });
  };
  EXPECT_THAT(says("[]"), HasSubstr("\"messages\" is not a list of messages, it is empty"));
  EXPECT_THAT(says("{}"), HasSubstr("no \"messages\""));
  EXPECT_THAT(says(R"({"messages": {"role": "user"}})"), HasSubstr("not a list of messages"));
  EXPECT_THAT(says("[5]"), HasSubstr("holds 5, which is not a message; expected {\"role\""));
  EXPECT_THAT(says(R"([{"role": 1}])"), HasSubstr("{\"role\":1} is not a message"));
  EXPECT_THAT(says(R"([{"role": "assistant", "tool_calls": {"name": "f"}}])"),
              HasSubstr("\"tool_calls\" is not a list of calls, it is {\"name\":\"f\"}"));
  EXPECT_THAT(says(R"([{"role": "assistant", "tool_calls": ["f"]}])"),
              HasSubstr("an element of \"tool_calls\" is the text \"f\""));
}

TEST(Conversation, ToolsStandBesideTheMessages) {
  const Json messages = Json::parse(R"([{"role": "user", "content": "a"}])");
  const Conversation both = parse_conversation({{"messages", messages}, {"tools", kTools.dump()}});
  EXPECT_EQ(both.messages, messages);
  EXPECT_EQ(both.tools, kTools);
  EXPECT_TRUE(parse_conversation({{"messages", messages}}).tools.is_null());
  EXPECT_EQ(parse_conversation(messages).messages, messages);
}

TEST(Conversation, ContentsBesideCallsCanBeFilledIn) {
  Conversation conversation = parse_conversation(Json::parse(R"([
    {"role": "user", "content": null}, {"role": "assistant", "content": "a"},
    {"role": "assistant", "content": "b", "tool_calls": [{}]}])"));
  EXPECT_FALSE(with_empty_contents(conversation));
  conversation.messages[2].erase("content");
  const auto filled = with_empty_contents(conversation);
  ASSERT_TRUE(filled);
  EXPECT_EQ(filled->messages[2]["content"], "");
  EXPECT_TRUE(filled->messages[0]["content"].is_null());
}

}  // namespace
}  // namespace gladius::text
