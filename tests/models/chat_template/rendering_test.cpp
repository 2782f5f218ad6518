// What comes from where in a template's text, and what leaves no trace in it.
#include "gladius/models/chat_template/rendering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/models/chat_template/chat_template.h"
#include "gladius/models/chat_template/ignored_parts.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Json kMessages = Json::parse(R"([{"role": "user", "content": "Hi"},
  {"role": "assistant", "content": "Yo"}, {"role": "user", "content": "é"}])");

Rendering rendering_of(const std::string& source, const Json& messages = kMessages) {
  return render_chat_with_origins(ChatTemplate::parse(source), messages, false, nullptr);
}

std::string at(const Rendering& rendering, const ByteSpan& span) {
  return rendering.text.substr(span.begin, span.end - span.begin);
}

// "NUMBER:TEXT" of each span of a message.
std::vector<std::string> turns(const std::string& source) {
  const Rendering rendering = rendering_of(source);
  std::vector<std::string> out;
  for (const auto& [message, bytes] : rendering.origins.messages) {
    out.push_back(std::to_string(message) + ":" + at(rendering, bytes));
  }
  return out;
}

std::vector<std::string> generated(const std::string& source) {
  const Rendering rendering = rendering_of(source);
  std::vector<std::string> out;
  for (const ByteSpan& span : rendering.origins.generated) out.push_back(at(rendering, span));
  return out;
}

TEST(Origins, ATurnOfALoopOverMessagesIsItsMessages) {
  EXPECT_THAT(turns("a{% for m in messages %}<{{ m.content }}>{% endfor %}b"),
              ElementsAre("0:<Hi>", "1:<Yo>", "2:<é>"));
  EXPECT_THAT(turns("{% set rest = messages[1:] %}{% for m in rest if m.role == 'user' %}"
                    "{{ m.content }}{% endfor %}"),
              ElementsAre("2:é"));
  EXPECT_THAT(turns("{% for m in messages[::-1] %}{% if loop.last %}x{% endif %}{% endfor %}"),
              ElementsAre("0:x"));
  EXPECT_THAT(turns("{% for m in messages %}{% if m.role != 'user' %}{% continue %}{% endif %}"
                    "{{ m.content }}{% endfor %}"),
              ElementsAre("0:Hi", "2:é"));
}

TEST(Origins, LoopsOverOtherThingsBelongToTheTurnAroundThem) {
  EXPECT_THAT(turns("{% for x in [1, 2, 3] %}{{ x }}{% endfor %}"), IsEmpty());
  EXPECT_THAT(turns("{% for m in messages %}{% for x in range(3) %}{{ x }}{% endfor %};"
                    "{% for c in m %}.{% endfor %}{% endfor %}"),
              ElementsAre("0:012;..", "1:012;..", "2:012;.."));
  // An assistant's turn that shows what follows it.
  EXPECT_THAT(turns("{% for m in messages[:2] %}({% for n in messages[loop.index:] %}"
                    "{{ n.content }}{% endfor %}){% endfor %}"),
              ElementsAre("0:(", "1:Yo", "2:é", "0:)", "1:(", "2:é", "1:)"));
}

TEST(Origins, ALoopOverAllNumbersIsALoopOverMessages) {
  EXPECT_THAT(turns("{% for i in range(messages | length) %}{{ messages[i].content }}{% endfor %}"),
              ElementsAre("0:Hi", "1:Yo", "2:é"));
  EXPECT_THAT(turns("{% for i in range(2) %}{{ messages[i].content }}{% endfor %}"), IsEmpty());
}

TEST(Origins, MacrosAndBlocksKeepTheirPlaces) {
  EXPECT_THAT(turns("{% macro all(ms) %}é{% for m in ms %}{{ m.content }}{% endfor %}{% endmacro %}"
                    "{% set text = all(messages) %}ab{{ text }}|{{ text }}"),
              ElementsAre("0:Hi", "1:Yo", "2:é", "0:Hi", "1:Yo", "2:é"));
  EXPECT_THAT(turns("{% set text %}é{% for m in messages %}{{ m.content }}{% endfor %}{% endset %}"
                    "ab{{ text }}"),
              ElementsAre("0:Hi", "1:Yo", "2:é"));
  EXPECT_THAT(turns("{% macro one(m) %}<{{ m.content }}>{% endmacro %}"
                    "{% for m in messages %}{{ one(m) }}{% endfor %}"),
              ElementsAre("0:<Hi>", "1:<Yo>", "2:<é>"));
  // Text that was changed has lost them.
  EXPECT_THAT(turns("{% set text %}{% for m in messages %}{{ m.content }}{% endfor %}{% endset %}"
                    "{{ text | trim }}"),
              IsEmpty());
}

TEST(Origins, GenerationBlocks) {
  EXPECT_THAT(generated("{% for m in messages %}é{% if m.role == 'assistant' %}{% generation %}"
                        "{{ m.content }}!{% endgeneration %}{% else %}{{ m.content }}{% endif %}"
                        "{% endfor %}"),
              ElementsAre("Yo!"));
  EXPECT_THAT(generated("{% macro f(m) %}a{%- generation -%} {{ m.content }} {%- endgeneration %}"
                        "{% endmacro %}{% for m in messages %}{{ f(m) }}{% endfor %}"),
              ElementsAre("Hi", "Yo", "é"));
  EXPECT_TRUE(ChatTemplate::parse("{% if 0 %}{% generation %}{% endgeneration %}{% endif %}")
                  .marks_generation());
  EXPECT_FALSE(ChatTemplate::parse("{# {% generation %} #}generation").marks_generation());
}

std::vector<std::string> ignored(const std::string& source, const Conversation& conversation) {
  const auto chat_template = ChatTemplate::parse(source);
  return ignored_parts(chat_template, conversation, nullptr,
                       render_chat_with_origins(chat_template, conversation.messages, false,
                                                nullptr, conversation.tools));
}

const Conversation kWithTools = parse_conversation(Json::parse(R"({"messages": [
  {"role": "user", "content": "a"},
  {"role": "assistant", "content": null, "tool_calls": [{"name": "f", "arguments": {}}]},
  {"role": "tool", "content": "result"}], "tools": [{"name": "f"}]})"));

TEST(IgnoredParts, WhatLeavesNoTrace) {
  const std::string text = "{{ m.content or '' }}";
  EXPECT_THAT(ignored("{% for m in messages %}{% if m.role != 'tool' %}" + text + "{% endif %}" +
                          "{% endfor %}",
                      kWithTools),
              ElementsAre("\"tools\"", "\"tool_calls\"", "messages of the role \"tool\""));
  EXPECT_THAT(ignored("{{ tools }}{% for m in messages %}" + text + "{% endfor %}", kWithTools),
              ElementsAre("\"tool_calls\""));
  EXPECT_THAT(
      ignored("{% for m in messages %}" + text + "{{ m.tool_calls }}{% endfor %}", kWithTools),
      ElementsAre("\"tools\""));
  EXPECT_THAT(ignored_parts_warning({"\"tools\"", "\"tool_calls\""}),
              HasSubstr("ignores \"tools\" and \"tool_calls\"; give the tokenizer"));
}

TEST(IgnoredParts, WhatIsShownOrNotThere) {
  const std::string shows =
      "{{ tools }}{% for m in messages %}{{ m.content or '' }}{{ m.tool_calls }}{% endfor %}";
  EXPECT_THAT(ignored(shows, kWithTools), IsEmpty());
  EXPECT_THAT(
      ignored("{% for m in messages %}{{ m.content }}{% endfor %}", parse_conversation(kMessages)),
      IsEmpty());
  // Shown in another's turn; the template cannot do without calls.
  EXPECT_THAT(ignored("{{ tools }}{% for m in messages %}{% if m.role == 'assistant' %}"
                      "{{ m.tool_calls[0].name + messages[loop.index].content }}{% endif %}"
                      "{% endfor %}",
                      kWithTools),
              IsEmpty());
  // One message's calls are shown, another's are not.
  Conversation two = kWithTools;
  two.messages.push_back(two.messages[1]);
  two.messages.back()["content"] = "b";
  EXPECT_THAT(ignored("{{ tools }}{% for m in messages %}{{ m.content or m.tool_calls }}"
                      "{% endfor %}",
                      two),
              ElementsAre("\"tool_calls\""));
}

}  // namespace
}  // namespace gladius::text
