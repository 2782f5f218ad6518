// Which tokens of a conversation have labels with LossOn::assistant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/train/data/dataset.h"
#include "gladius/train/data/example_parser.h"
#include "support/message_of.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Json;
using testing::message_of;
using testing::TemporaryDirectory;
using testing::write_file;

const Json kTwoTurns = Json::parse(R"([{"role": "user", "content": "a"},
  {"role": "assistant", "content": "bc"}, {"role": "user", "content": "c"},
  {"role": "assistant", "content": "a"}])");

class ChatLabels : public ::testing::Test {
 protected:
  ChatLabels() { testing::write_tiny_tokenizer(directory_ / "tokenizer"); }

  EncodedChat encode(const std::string& chat_template, const Json& conversation) const {
    write_file(directory_ / "tokenizer" / "chat_template.jinja", chat_template);
    return TextEncoder(directory_ / "tokenizer")
        .encode_chat(text::parse_conversation(conversation), true);
  }

  // The text with what has labels in brackets. A token is a letter here.
  std::string labelled(const std::string& chat_template, const Json& conversation) const {
    const EncodedChat chat = encode(chat_template, conversation);
    const Example example = chat_example(chat);
    std::string out;
    bool inside = false;
    for (std::size_t i = 0; i < chat.ids.size(); ++i) {
      const bool has_label = i > 0 && example.labels[i - 1] != kNoLabel;
      if (has_label != inside) out += has_label ? "[" : "]";
      inside = has_label;
      out += chat.text.substr(chat.spans[i].begin, chat.spans[i].end - chat.spans[i].begin);
    }
    return out + (inside ? "]" : "");
  }

  TemporaryDirectory directory_;
};

TEST_F(ChatLabels, FromBehindTheHeaderToTheEndOfTheTurn) {
  EXPECT_EQ(labelled("{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}"
                     "{% if add_generation_prompt %}<a>{% endif %}",
                     kTwoTurns),
            "<u>a;<a>[bc;]<u>c;<a>[a;]");
}

TEST_F(ChatLabels, AHeaderThatIsNotGivenHasToBeWritten) {
  EXPECT_EQ(
      labelled("{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}", kTwoTurns),
      "<u>a;[<a>bc;]<u>c;[<a>a;]");
}

// As Qwen3's: the answer stands in the whole conversation, whatever it would be as the last.
TEST_F(ChatLabels, AnAnswerThatIsWrittenOtherwiseWhenItIsTheLast) {
  const std::string source =
      "{% for m in messages %}<{{ m.role[0] }}>{{ 'eee' if loop.last and m.role != 'user' }}"
      "{{ m.content }};{% endfor %}{% if add_generation_prompt %}<a>{% endif %}";
  EXPECT_EQ(labelled(source, kTwoTurns), "<u>a;<a>[bc;]<u>c;<a>[eeea;]");
  Json ends_with_user = kTwoTurns;
  ends_with_user.erase(3);
  EXPECT_EQ(labelled(source, ends_with_user), "<u>a;<a>[bc;]<u>c;");
}

// As DeepSeek-R1's: the prompt goes on where turns do not, or only where they have a thought.
TEST_F(ChatLabels, APromptThatGoesOnBehindTheHeader) {
  EXPECT_EQ(labelled("{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}"
                     "{% if add_generation_prompt %}<a>ba{% endif %}",
                     kTwoTurns),
            "<u>a;<a>b[c;]<u>c;<a>[a;]");
}

TEST_F(ChatLabels, TheAssistantMayBegin) {
  const Json begins = Json::parse(R"([{"role": "assistant", "content": "b"},
                                      {"role": "user", "content": "a"}])");
  EXPECT_EQ(labelled("system;{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}"
                     "{% if add_generation_prompt %}<a>{% endif %}",
                     begins),
            "system;<a>[b;]<u>a;");
}

TEST_F(ChatLabels, CallsCountAndAnswersOfToolsDoNot) {
  const Json calls = Json::parse(R"([{"role": "user", "content": "a"},
    {"role": "assistant", "content": null, "tool_calls": [{"name": "b"}, {"name": "c"}]},
    {"role": "tool", "content": "d"}, {"role": "tool", "content": "e"},
    {"role": "assistant", "content": "b"}])");
  // Answers of tools that follow one another share a header.
  const std::string source =
      "{% for m in messages %}{% if m.role == 'tool' %}"
      "{% if messages[loop.index0 - 1].role != 'tool' %}<u>{% endif %}({{ m.content }})"
      "{% else %}<{{ m.role[0] }}>{{ m.content }}"
      "{% for c in m.tool_calls %}!{{ c.name }}{% endfor %};{% endif %}{% endfor %}"
      "{% if add_generation_prompt %}<a>{% endif %}";
  EXPECT_EQ(labelled(source, calls), "<u>a;<a>[!b!c;]<u>(d)(e)<a>[b;]");
  // A template that cannot do without content gets "".
  std::string needs_content = source;
  needs_content.replace(source.find("{{ m.content }}{%"), 15, "{{ m.content + '' }}");
  EXPECT_EQ(labelled(needs_content, calls), "<u>a;<a>[!b!c;]<u>(d)(e)<a>[b;]");
}

TEST_F(ChatLabels, MarksInTheTemplateAreBelieved) {
  EXPECT_EQ(labelled("{% for m in messages %}<{{ m.role[0] }}>{% if m.role == 'assistant' %}"
                     "{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}"
                     "{% endif %};{% endfor %}{% if add_generation_prompt %}<a>{% endif %}",
                     kTwoTurns),
            "<u>a;<a>[bc];<u>c;<a>[a];");
}

// Axolotl's and OpenAI's ways to keep an answer as context.
TEST_F(ChatLabels, MessagesThatAreNotLearnedHaveNoLabels) {
  const std::string turns =
      "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}"
      "{% if add_generation_prompt %}<a>{% endif %}";
  const std::string marked =
      "{% for m in messages %}<{{ m.role[0] }}>{% if m.role == 'assistant' %}{% generation %}"
      "{{ m.content }};{% endgeneration %}{% else %}{{ m.content }};{% endif %}{% endfor %}"
      "{% if add_generation_prompt %}<a>{% endif %}";
  const std::string gathers =
      "{% set ns = namespace(text='') %}{% for m in messages %}"
      "{% set ns.text = ns.text + '<' + m.role[0] + '>' + m.content + ';' %}{% endfor %}"
      "{{ ns.text }}{% if add_generation_prompt %}<a>{% endif %}";
  for (const std::string& source : {turns, marked, gathers}) {
    SCOPED_TRACE(source);
    Json chat = kTwoTurns;
    chat[1]["train"] = false;
    chat[3]["train"] = true;
    EXPECT_EQ(labelled(source, chat), "<u>a;<a>bc;<u>c;<a>[a;]");
    chat[1] = kTwoTurns[1];
    chat[3]["weight"] = 0;
    EXPECT_EQ(labelled(source, chat), "<u>a;<a>[bc;]<u>c;<a>a;");
  }
  Json odd = kTwoTurns;
  odd[1]["weight"] = 0.5;
  EXPECT_THAT(message_of<FormatError>([&] { encode(turns, odd); }),
              HasSubstr("a message's \"weight\" is 0.5; expected 0 or 1"));
}

TEST_F(ChatLabels, ATemplateWithoutTurnsIsRenderedUpToEachMessage) {
  const std::string gathers =
      "{% set ns = namespace(text='') %}{% for m in messages %}"
      "{% set ns.text = ns.text + '<' + m.role[0] + '>' + m.content + ';' %}{% endfor %}"
      "{{ ns.text }}{% if add_generation_prompt %}<a>{% endif %}";
  EXPECT_EQ(labelled(gathers, kTwoTurns), "<u>a;<a>[bc;]<u>c;<a>[a;]");
  const std::string rewrites =
      "{% set ns = namespace(text='') %}{% for m in messages %}"
      "{% set ns.text = ns.text + '<' + m.role[0] + '>' + ('e' if loop.last else '') + m.content %}"
      "{% endfor %}{{ ns.text }}{% if add_generation_prompt %}<a>{% endif %}";
  EXPECT_THAT(message_of<ConfigError>([&] { encode(rewrites, kTwoTurns); }),
              AllOf(HasSubstr("in message 2 cannot be told"), HasSubstr("{% generation %}")));
}

// A template for tools is chosen by the line, and one that ignores them is reported.
TEST_F(ChatLabels, ToolsThatATemplateIgnoresAreNamedByFileAndLine) {
  const std::string plain = "{% for m in messages %}{{ m.content }}{% endfor %}";
  write_file(directory_ / "tokenizer" / "chat_template.jinja", plain);
  const Json with_tools{{"messages", kTwoTurns}, {"tools", "[{\"name\": \"b\"}]"}};
  std::string lines = Json{{"messages", kTwoTurns}}.dump() + "\n";
  for (int i = 0; i < 5; ++i) lines += with_tools.dump() + "\n";
  write_file(directory_ / "data.jsonl", lines);
  std::vector<std::string> warnings;
  const auto first_ids = [&] {
    warnings.clear();
    const auto encoder = std::make_shared<const TextEncoder>(directory_ / "tokenizer");
    const Dataset data = Dataset::open(
        {directory_ / "data.jsonl"}, encoder,
        {.vocab_size = 265, .warn = [&](const std::string& text) { warnings.push_back(text); }});
    return data.read(1)->ids;
  };
  first_ids();
  EXPECT_THAT(warnings,
              ElementsAre(HasSubstr("data.jsonl:2: the chat template ignores \"tools\"; give"),
                          HasSubstr("data.jsonl:3: "), HasSubstr("data.jsonl:4: "),
                          HasSubstr("ignores something of 5 of the first 6 examples")));
  std::filesystem::create_directory(directory_ / "tokenizer" / "additional_chat_templates");
  write_file(directory_ / "tokenizer" / "additional_chat_templates" / "tool_use.jinja",
             "{{ tools[0].name }}e");
  EXPECT_THAT(first_ids(), ElementsAre(261, 264));
  EXPECT_THAT(warnings, IsEmpty());
}

TEST_F(ChatLabels, ToolsThatAreNoSchemasAreRefusedWithTheLine) {
  write_file(directory_ / "tokenizer" / "chat_template.jinja", "{{ tools }}");
  write_file(directory_ / "data.jsonl",
             "\n" + Json{{"messages", kTwoTurns}, {"tools", "weather"}}.dump());
  const auto encoder = std::make_shared<const TextEncoder>(directory_ / "tokenizer");
  EXPECT_THAT(message_of<FormatError>([&] {
                Dataset::open({directory_ / "data.jsonl"}, encoder, {.vocab_size = 265});
              }),
              AllOf(HasSubstr("data.jsonl:2: "), HasSubstr("\"tools\" is the text \"weather\"")));
}

}  // namespace
}  // namespace gladius::train
