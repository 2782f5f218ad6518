// Columns beside "input_ids" that say of each token whether something holds.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace gladius::train {

/// The list at `key`, which has `length` values; null where it is missing or null. FormatError for
/// what is no list, and for another length.
const nlohmann::ordered_json* list_at(const nlohmann::ordered_json& line, const char* key,
                                      std::size_t length);

/// The list at `key` of 0 and 1 (or false and true), one for each of `length` tokens; nothing
/// where it is missing or null. FormatError, with `expected` in it ("1 for a token, ...").
std::optional<std::vector<bool>> mask_at(const nlohmann::ordered_json& line, const char* key,
                                         std::size_t length, const char* expected);

/// Which of `length` tokens are to be predicted, as TRL's `completion_mask` and transformers'
/// `assistant_masks` say; where both are there, those that have 1 in both. Nothing without them.
/// FormatError as mask_at, and beside "labels", which say it themselves.
std::optional<std::vector<bool>> tokens_to_predict(const nlohmann::ordered_json& line,
                                                   std::size_t length);

}  // namespace gladius::train
