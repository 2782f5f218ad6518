#include "gladius/train/data/message_weights.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/data/line_kind.h"

namespace gladius::train {

bool is_learned(const nlohmann::ordered_json& message) {
  bool learned = true;
  for (const char* key : {"train", "weight"}) {
    if (!has_column(message, key)) continue;
    const nlohmann::ordered_json& value = message.at(key);
    const bool yes = value == true || value == 1, no = value == false || value == 0;
    if (!yes && !no) {
      throw FormatError(
          fmt::format("a message's \"{}\" is {}; expected {}, for whether it is learned", key,
                      shown(value), key == std::string_view("train") ? "true or false" : "0 or 1"));
    }
    learned = learned && yes;
  }
  return learned;
}

bool are_learned(const nlohmann::ordered_json& messages) {
  return std::ranges::all_of(messages, is_learned);
}

}  // namespace gladius::train
