// Columns that other programs read and that lines here are not made of.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/train/data/line_kind.h"

namespace gladius::train {

/// What to say of columns that are skipped though a line with them may be meant otherwise, such
/// as a "system" beside "messages": a text each, the same for every line with that column.
///
/// FormatError, which says how to write it, where beside "input_ids" a column would change which
/// tokens count, by how much, or which see each other (loss_mask, weight, seq_lengths, ...) and is
/// not such that it changes nothing.
std::vector<std::string> passed_over_columns(const nlohmann::ordered_json& line, LineKind kind);

}  // namespace gladius::train
