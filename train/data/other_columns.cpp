#include "gladius/train/data/other_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// What counts, and how much.
constexpr const char* kWeights[] = {"loss_mask",     "label_mask",   "labels_mask", "target_mask",
                                    "loss_weights",  "loss_weight",  "weights",     "weight",
                                    "token_weights", "sample_weight"};
constexpr const char* kMasks[] = {"labels", "completion_mask", "assistant_masks"};
// Where sequences in one line begin.
constexpr const char* kSegmentIds[] = {"segment_ids", "sequence_ids", "document_ids"};
constexpr const char* kLengths[] = {"seq_lengths", "sequence_lengths", "cu_seqlens", "cu_seq_lens"};
// Of conversations, and of texts with a part that is not learned.
constexpr const char* kOfChats[] = {"system", "functions", "documents", "chat_template",
                                    "chat_template_kwargs"};
constexpr const char* kTexts[] = {"prompt", "completion", "chosen", "rejected", "conversations"};

const Json& column(const Json& line, const char* key) {
  static const Json kNone;
  const auto found = line.find(key);
  return found == line.end() ? kNone : *found;
}

bool is_one(const Json& value) { return value == 1 || value == true; }

bool counts_all(const Json& weights) {
  return weights.is_null() || is_one(weights) ||
         (weights.is_array() && std::ranges::all_of(weights, is_one));
}

bool is_one_sequence(const Json& ids) {
  return ids.is_null() || (ids.is_array() && std::ranges::adjacent_find(
                                                 ids, std::ranges::not_equal_to()) == ids.end());
}

// Lengths [T], or where sequences begin and end, [0, T].
bool is_one_length(const Json& lengths, std::size_t length) {
  return lengths.is_null() || lengths == Json::array({length}) ||
         lengths == Json::array({0, length});
}

[[noreturn]] void refuse_segments(const char* key) {
  throw FormatError(fmt::format(
      "\"{}\" is for several sequences in a line, which is not supported; give each a line of its "
      "own (data.packing puts them together again)",
      key));
}

void check_beside_ids(const Json& line) {
  const std::size_t length = line.at("input_ids").size();
  for (const char* key : kWeights) {
    if (counts_all(column(line, key))) continue;
    throw FormatError(fmt::format(
        "\"{}\" is {}, which is not supported; say what counts with \"labels\" (-100 for none) or "
        "\"completion_mask\" (1 for a token that is to be predicted)",
        key, shown(column(line, key))));
  }
  for (const char* key : kSegmentIds) {
    if (!is_one_sequence(column(line, key))) refuse_segments(key);
  }
  for (const char* key : kLengths) {
    if (!is_one_length(column(line, key), length)) refuse_segments(key);
  }
}

class Notes {
 public:
  Notes(const Json& line, const char* beside) : line_(line), beside_(beside) {}

  void add(const char* key) {
    if (column(line_, key).is_null()) return;
    texts.push_back(fmt::format("\"{}\" beside \"{}\" is not read (of other such lines neither)",
                                key, beside_));
  }

  std::vector<std::string> texts;

 private:
  const Json& line_;
  const char* beside_;
};

}  // namespace

std::vector<std::string> passed_over_columns(const Json& line, LineKind kind) {
  if (kind == LineKind::input_ids) {
    check_beside_ids(line);
    return {};
  }
  const bool chat = kind == LineKind::messages;
  Notes notes(line, chat ? "messages" : "text");
  for (const char* key : kMasks) notes.add(key);
  for (const char* key : kWeights) {
    if (!counts_all(column(line, key))) notes.add(key);
  }
  for (const char* key : kTexts) notes.add(key);
  if (!chat) notes.add("tools");
  if (chat) {
    for (const char* key : kOfChats) notes.add(key);
  }
  return std::move(notes.texts);
}

}  // namespace gladius::train
