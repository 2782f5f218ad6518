// A run on conversations, with teachers of the student's and of another vocabulary.
#pragma once

#include <string>

#include "gladius/tensor/elementwise.h"
#include "gladius/train/data/example_parser.h"
#include "gladius/train/data/text_encoder.h"
#include "train/tiny_runs.h"

namespace gladius::testing {

/// Its data are random conversations of one and several turns and, if not asked for chats alone, a
/// text and one that only asks.
class ChatRun {
 public:
  static constexpr std::int64_t kEntries = 265;  // of the tiny tokenizer

  explicit ChatRun(Rng& rng, bool chats_alone = false) {
    write_tokenizer("tokenizer", "<s>", "</s>");
    save_model(directory / "start", *student(rng()));
    for (const char* name : {"expert", "other"}) {
      save_model(directory / name, *tiny_model(tiny_config(kEntries, 24), rng()));
    }
    write_tokenizer("expert", "<s>", "</s>");
    write_tokenizer("other", "[", "</s>");
    Json other = Json::parse(read_file(directory / "other/tokenizer.json"));
    std::swap(other["model"]["vocab"]["a"], other["model"]["vocab"]["c"]);
    write_file(directory / "other/tokenizer.json", other.dump());
    write_file(directory / "data.jsonl", data(rng, chats_alone));
  }

  train::RunConfig config(const Json& changes) const {
    Json run{{"student", {{"init", "start"}, {"tokenizer", "tokenizer"}}},
             {"data", {{"train", "data.jsonl"}, {"max_seq_len", 90}}},
             {"optimizer", {{"lr", 0.01}}},
             {"gradient_accumulation", 2},
             {"checkpoint_every", 4}};
    run.merge_patch(changes);
    return train::RunConfig::parse(run, (directory / "run.json").string());
  }

  train::Example short_chat(const train::TextEncoder& encoder) const {
    text::Conversation chat{
        .messages = Json::parse(
            R"([{"role": "user", "content": "ab"}, {"role": "assistant", "content": "c"}])"),
        .tools = nullptr};
    train::Example example = train::chat_example(encoder.encode_chat(chat, false));
    example.conversation = std::make_shared<const text::Conversation>(std::move(chat));
    return example;
  }

  TemporaryDirectory directory;

 private:
  // Letters and the end are likely, so that its answers are texts.
  static std::unique_ptr<LanguageModel> student(std::uint64_t seed) {
    auto model = tiny_model(tiny_config(kEntries), seed);
    Tensor head = model->head_weight().value();
    for (const std::int64_t id : {2, 259, 260, 261, 262, 263, 264}) {
      Tensor row = head.select(0, id);
      mul_(row, 20.0);
    }
    return model;
  }

  void write_tokenizer(const char* name, const char* begin, const char* end) const {
    write_tiny_tokenizer(directory / name);
    write_file(directory / name / "chat_template.jinja",
               std::string("{% for m in messages %}") + begin +
                   "{{ m['role'] }}:{{ m['content'] }}" + end +
                   "{% endfor %}{% if add_generation_prompt %}" + begin + "assistant:{% endif %}");
  }

  static std::string words(Rng& rng) {
    std::string text;
    for (auto left = random_int(rng, 1, 9); left > 0; --left) {
      text += "abcde x"[random_int(rng, 0, 6)];
    }
    return text + "e";
  }

  static std::string data(Rng& rng, bool chats_alone) {
    std::string lines;
    for (int i = 0; i < 9; ++i) {
      Json messages = Json::array();
      for (auto turns = random_int(rng, 1, 2); turns > 0; --turns) {
        messages.push_back({{"role", "user"}, {"content", words(rng)}});
        messages.push_back({{"role", "assistant"}, {"content", words(rng)}});
      }
      lines += Json{{"messages", messages}}.dump() + "\n";
      if (i == 3 && !chats_alone) lines += Json{{"text", words(rng)}}.dump() + "\n";
      if (i == 5 && !chats_alone) {
        lines += Json{{"messages", {{{"role", "user"}, {"content", words(rng)}}}}}.dump() + "\n";
      }
    }
    return lines;
  }
};

}  // namespace gladius::testing
