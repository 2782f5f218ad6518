#include "gladius/train/loop/alignment_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gladius/tensor/base/text_file.h"
#include "gladius/train/data/example_parser.h"
#include "gladius/train/teacher/alignment_study.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// A sample is shown with all of its prompt, which data.max_seq_len bounds.
constexpr std::int64_t kShownTokens = 200, kShownOfSample = 4096;

Json texts_of(const std::vector<ShownToken>& tokens) {
  Json texts = Json::array();
  for (const ShownToken& token : tokens) texts.push_back(token.text);
  return texts;
}

// The list that is there; an empty one where there is none.
Json read_list(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return Json::array();
  const Json list = Json::parse(read_text_file(file), nullptr, /*allow_exceptions=*/false);
  return list.is_array() ? list : Json::array();
}

}  // namespace

std::shared_ptr<const Example> first_text(const Dataset& data) {
  constexpr std::int64_t kLookedAt = 100;
  for (std::int64_t i = 0; i < std::min(kLookedAt, data.size()); ++i) {
    auto example = data.read(i);
    if (example && !example->given_as_ids && !example->ids.empty()) return example;
  }
  return nullptr;
}

Example sample_text(const TextEncoder& student, const Sample& sample) {
  text::Conversation conversation{.messages = sample.messages, .tools = nullptr};
  conversation.messages.push_back({{"role", "assistant"}, {"content", sample.answer}});
  Example example = chat_example(student.encode_chat(conversation, /*find_assistant=*/false));
  example.conversation = std::make_shared<const text::Conversation>(std::move(conversation));
  return example;
}

void write_alignment(const std::filesystem::path& file, std::size_t index,
                     const ExpertConfig& expert, const AlignedTeacher& aligned, const Example& text,
                     std::optional<std::int64_t> step) {
  Json chunks = Json::array();
  for (const ShownChunk& chunk :
       show_alignment(aligned, text, step ? kShownOfSample : kShownTokens)) {
    chunks.push_back({{"student", texts_of(chunk.student)},
                      {"teacher", texts_of(chunk.teacher)},
                      {"compared", chunk.compared}});
  }
  Json list = read_list(file);
  while (list.size() <= index) list.push_back(nullptr);
  list[index] = {{"expert", expert.name},
                 {"step", step ? Json(*step) : Json()},
                 {"chunks", std::move(chunks)}};
  write_text_file(file, list.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace gladius::train
