#include "gladius/train/data/label_masks.h"

#include <fmt/format.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/data/line_kind.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

bool is_set(const char* key, const Json& value, const char* expected) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer() && (value == 0 || value == 1)) return value == 1;
  throw FormatError(fmt::format("\"{}\" holds {}; expected {}", key, shown(value), expected));
}

}  // namespace

const Json* list_at(const Json& line, const char* key, std::size_t length) {
  if (!has_column(line, key)) return nullptr;
  const Json& list = line.at(key);
  if (!list.is_array()) throw FormatError(fmt::format("\"{}\" is not a list", key));
  if (list.size() != length) {
    throw FormatError(
        fmt::format("\"{}\" has {} values for {} input_ids", key, list.size(), length));
  }
  return &list;
}

std::optional<std::vector<bool>> mask_at(const Json& line, const char* key, std::size_t length,
                                         const char* expected) {
  const Json* list = list_at(line, key, length);
  if (list == nullptr) return std::nullopt;
  std::vector<bool> mask;
  for (const Json& value : *list) mask.push_back(is_set(key, value, expected));
  return mask;
}

std::optional<std::vector<bool>> tokens_to_predict(const Json& line, std::size_t length) {
  std::optional<std::vector<bool>> tokens;
  for (const char* key : {"completion_mask", "assistant_masks"}) {
    const auto mask = mask_at(line, key, length, "1 for a token that is to be predicted, else 0");
    if (!mask) continue;
    if (has_column(line, "labels")) {
      throw FormatError(
          fmt::format("\"{}\" stands beside \"labels\", which say themselves what counts (-100 for "
                      "none); leave one of them out",
                      key));
    }
    if (!tokens) tokens.emplace(length, true);
    for (std::size_t i = 0; i < length; ++i) (*tokens)[i] = (*tokens)[i] && (*mask)[i];
  }
  return tokens;
}

}  // namespace gladius::train
