#include "gladius/train/data/example_parser.h"

#include <fmt/format.h>

#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/data/label_masks.h"
#include "gladius/train/data/message_weights.h"
#include "gladius/train/data/other_columns.h"
#include "gladius/train/data/padding.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::int32_t> numbers(const char* key, const Json& list) {
  if (!list.is_array()) throw FormatError(fmt::format("\"{}\" is not a list", key));
  std::vector<std::int32_t> values;
  for (const Json& value : list) {
    const bool whole = value.is_number_integer();
    const double number = whole ? value.get<double>() : 0;
    if (!whole || number < -0x1p31 || number >= 0x1p31) {
      throw FormatError(fmt::format("\"{}\" holds {}; expected token ids", key, shown(value)));
    }
    values.push_back(value.get<std::int32_t>());
  }
  return values;
}

// At each position the token behind it, if that is to be predicted.
std::vector<std::int32_t> labels_of(const std::vector<std::int32_t>& ids,
                                    const std::vector<bool>& predicted) {
  std::vector<std::int32_t> labels(ids.size(), kNoLabel);
  for (std::size_t i = 1; i < ids.size(); ++i) {
    if (predicted[i]) labels[i - 1] = ids[i];
  }
  return labels;
}

}  // namespace

Example chat_example(EncodedChat chat) {
  const auto length = static_cast<std::int64_t>(chat.ids.size());
  Example example = next_token_example(std::move(chat.ids), length);
  if (!chat.from_assistant.empty()) {
    for (std::size_t i = 0; i + 1 < example.labels.size(); ++i) {
      if (!chat.from_assistant[i + 1]) example.labels[i] = kNoLabel;
    }
  }
  example.ignored = std::move(chat.ignored);
  return example;
}

ExampleParser::ExampleParser(std::shared_ptr<const TextEncoder> encoder, std::int64_t max_seq_len,
                             LossOn loss_on, std::int64_t vocab_size, bool keep_conversations)
    : encoder_(std::move(encoder)),
      max_seq_len_(max_seq_len),
      loss_on_(loss_on),
      vocab_size_(vocab_size),
      keep_conversations_(keep_conversations) {}

Example ExampleParser::parse(const std::string& line) const {
  Example example = from_line(parse_json(line));
  if (example.ids.empty()) throw FormatError("the example has no tokens");
  check_tokens(example.ids);
  check_range("label", example.labels, true);
  return example;
}

const TextEncoder& ExampleParser::encoder() const {
  if (encoder_ == nullptr) {
    throw ConfigError("text needs a tokenizer: set \"student.tokenizer\" to its directory");
  }
  return *encoder_;
}

void ExampleParser::check_tokens(const std::vector<std::int32_t>& ids) const {
  check_range("token", ids, false);
}

Example ExampleParser::from_line(const Json& json) const {
  const LineKind kind = kind_of_line(json);
  Example example = by_kind(json, kind);
  for (std::string& note : passed_over_columns(json, kind)) {
    example.notes.push_back(std::move(note));
  }
  return example;
}

Example ExampleParser::by_kind(const Json& json, LineKind kind) const {
  switch (kind) {
    case LineKind::text:
      return from_text(json.at("text"));
    case LineKind::messages:
      return from_chat(json);
    default:
      break;
  }
  Example example = from_ids(json);
  example.given_as_ids = true;
  return example;
}

Example ExampleParser::from_text(const Json& text) const {
  if (!text.is_string()) throw FormatError("\"text\" is not a string");
  return next_token_example(encoder().encode(text.get<std::string>()), max_seq_len_);
}

Example ExampleParser::from_chat(const Json& json) const {
  text::Conversation conversation = text::parse_conversation(json);
  const bool of_assistant = loss_on_ == LossOn::assistant;
  Example example = chat_example(encoder().encode_chat(conversation, of_assistant));
  if (!of_assistant && !are_learned(conversation.messages)) {
    example.notes.emplace_back(
        "\"train\": false and \"weight\": 0 of messages count with loss_on assistant only; with "
        "\"all\" every token has a label");
  }
  truncate(example, max_seq_len_);
  if (keep_conversations_) {
    example.conversation = std::make_shared<const text::Conversation>(std::move(conversation));
  }
  return example;
}

Example ExampleParser::from_ids(const Json& json) const {
  Example example{.ids = numbers("input_ids", json.at("input_ids")), .labels = {}};
  const bool has_labels = has_column(json, "labels");
  if (has_labels) example.labels = numbers("labels", json.at("labels"));
  if (has_labels && example.labels.size() != example.ids.size()) {
    throw FormatError(
        fmt::format("{} labels for {} input_ids", example.labels.size(), example.ids.size()));
  }
  const auto predicted = tokens_to_predict(json, example.ids.size());
  if (predicted) example.labels = labels_of(example.ids, *predicted);
  remove_padding(example, json);
  if (predicted && !example.labels.empty()) example.labels.back() = kNoLabel;  // it was padding
  if (!has_labels && !predicted) return next_token_example(std::move(example.ids), max_seq_len_);
  truncate(example, max_seq_len_);
  return example;
}

void ExampleParser::check_range(const char* what, const std::vector<std::int32_t>& ids,
                                bool may_be_missing) const {
  for (const std::int32_t id : ids) {
    if ((id >= 0 && id < vocab_size_) || (may_be_missing && id == kNoLabel)) continue;
    throw FormatError(
        fmt::format("{} {} is outside of the model's vocabulary of {}", what, id, vocab_size_));
  }
}

}  // namespace gladius::train
