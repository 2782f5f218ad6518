// One training sequence.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gladius::text {
struct Conversation;
}  // namespace gladius::text

namespace gladius::train {

/// The label of a position that no loss counts.
constexpr std::int32_t kNoLabel = -100;

/// Token ids and, for each position, the token to predict there (or kNoLabel); equally many.
struct Example {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> labels;
  /// What the line has and the chat template does not show (ignored_parts).
  std::vector<std::string> ignored = {};
  /// What else is to be said of the line; the same text for lines with the same.
  std::vector<std::string> notes = {};
  // What was longer than max_seq_len: positions that were cut off, and those of them with a label.
  std::int64_t cut_tokens = 0;
  std::int64_t cut_labels = 0;
  /// What the ids are of, for teachers with another tokenizer: null for a plain text.
  std::shared_ptr<const text::Conversation> conversation = {};
  bool given_as_ids = false;  // there is no text
  /// Tokens before those that the student wrote itself (on_policy.h); 0: it wrote none.
  std::int64_t prompt = 0;
};

/// Positions that have a label.
std::int64_t count_labels(std::span<const std::int32_t> labels);

/// Every token predicts the next. The last has no label, but where `ids` is cut to `max_length`
/// it is known what came next.
Example next_token_example(std::vector<std::int32_t> ids, std::int64_t max_length);

/// Cuts both lists, and counts what is lost by it.
void truncate(Example& example, std::int64_t max_length);

}  // namespace gladius::train
