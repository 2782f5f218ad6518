// One line of a .jsonl file to an example.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gladius/train/data/example.h"
#include "gladius/train/data/example_options.h"
#include "gladius/train/data/line_kind.h"
#include "gladius/train/data/text_encoder.h"

namespace gladius::train {

/// Each token predicts the next, but where the assistant's tokens were looked for the others are
/// not predicted. Whole, however long.
Example chat_example(EncodedChat chat);

/// What lines mean; see Dataset::open. Errors say nothing of file and line; the caller adds them.
class ExampleParser {
 public:
  /// `encoder` may be null, which is a ConfigError where there is text.
  ExampleParser(std::shared_ptr<const TextEncoder> encoder, std::int64_t max_seq_len,
                LossOn loss_on, std::int64_t vocab_size, bool keep_conversations = false);

  /// FormatError for a line that is no example; ConfigError if it needs what is not there.
  Example parse(const std::string& line) const;

  /// ConfigError if there is no tokenizer.
  const TextEncoder& encoder() const;
  /// FormatError for ids that are not the model's.
  void check_tokens(const std::vector<std::int32_t>& ids) const;
  std::int64_t max_seq_len() const { return max_seq_len_; }

 private:
  Example from_line(const nlohmann::ordered_json& json) const;
  Example by_kind(const nlohmann::ordered_json& json, LineKind kind) const;
  Example from_text(const nlohmann::ordered_json& text) const;
  Example from_chat(const nlohmann::ordered_json& json) const;
  Example from_ids(const nlohmann::ordered_json& json) const;
  void check_range(const char* what, const std::vector<std::int32_t>& ids,
                   bool may_be_missing) const;

  std::shared_ptr<const TextEncoder> encoder_;
  std::int64_t max_seq_len_;
  LossOn loss_on_;
  std::int64_t vocab_size_;
  bool keep_conversations_;
};

}  // namespace gladius::train
