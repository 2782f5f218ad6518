#include "gladius/train/data/example_parser.h"

#include <fmt/format.h>

#include <utility>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/train/data/padding.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

// A column that is null counts as missing: that is how tables write lines of several kinds.
bool has(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && !found->is_null();
}

std::vector<std::int32_t> numbers(const char* key, const Json& list) {
  if (!list.is_array()) throw FormatError(fmt::format("\"{}\" is not a list", key));
  std::vector<std::int32_t> values;
  for (const Json& value : list) {
    const bool whole = value.is_number_integer();
    const double number = whole ? value.get<double>() : 0;
    if (!whole || number < -0x1p31 || number >= 0x1p31) {
      throw FormatError(
          fmt::format("\"{}\" holds {}; expected token ids", key, value.dump().substr(0, 40)));
    }
    values.push_back(value.get<std::int32_t>());
  }
  return values;
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

LineKind kind_of_line(const Json& line) {
  if (!line.is_object()) throw FormatError("expected a JSON object");
  const bool text = has(line, "text"), chat = has(line, "messages"), ids = has(line, "input_ids");
  if (text + chat + ids != 1) {
    throw FormatError(
        fmt::format("expected one of \"text\", \"messages\" and \"input_ids\", found {}",
                    text + chat + ids == 0 ? "none" : "several"));
  }
  return text ? LineKind::text : chat ? LineKind::messages : LineKind::input_ids;
}

ExampleParser::ExampleParser(std::shared_ptr<const TextEncoder> encoder, std::int64_t max_seq_len,
                             LossOn loss_on, std::int64_t vocab_size)
    : encoder_(std::move(encoder)),
      max_seq_len_(max_seq_len),
      loss_on_(loss_on),
      vocab_size_(vocab_size) {}

Example ExampleParser::parse(const std::string& line) const {
  Example example = by_kind(parse_json(line));
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

Example ExampleParser::by_kind(const Json& json) const {
  switch (kind_of_line(json)) {
    case LineKind::text:
      return from_text(json.at("text"));
    case LineKind::messages:
      return from_chat(json);
    default:
      return from_ids(json);
  }
}

Example ExampleParser::from_text(const Json& text) const {
  if (!text.is_string()) throw FormatError("\"text\" is not a string");
  return next_token_example(encoder().encode(text.get<std::string>()), max_seq_len_);
}

Example ExampleParser::from_chat(const Json& json) const {
  Example example =
      chat_example(encoder().encode_chat(parse_conversation(json), loss_on_ == LossOn::assistant));
  truncate(example, max_seq_len_);
  return example;
}

Example ExampleParser::from_ids(const Json& json) const {
  Example example{.ids = numbers("input_ids", json.at("input_ids")), .labels = {}};
  const bool has_labels = has(json, "labels");
  if (has_labels) example.labels = numbers("labels", json.at("labels"));
  if (has_labels && example.labels.size() != example.ids.size()) {
    throw FormatError(
        fmt::format("{} labels for {} input_ids", example.labels.size(), example.ids.size()));
  }
  remove_padding(example, json);
  if (!has_labels) return next_token_example(std::move(example.ids), max_seq_len_);
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

}  // namespace gladius
