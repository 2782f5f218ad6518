// How likely a teacher finds the text that it reads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gladius/train/teacher/teacher.h"

namespace gladius::train {

/// log P of the tokens `ids`[begin .. end), 0 < begin, each by the row before it, with P =
/// softmax(logits / temperature), unless the answer has it; the logits are asked for by blocks of
/// 64 rows. -infinity for an id that the rows do not have.
std::vector<double> text_log_probabilities(const TeacherAnswer& answer,
                                           std::span<const std::int32_t> ids, std::int64_t begin,
                                           std::int64_t end, double temperature);

}  // namespace gladius::train
