// How a run's experts with another vocabulary read a text: alignment.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "gladius/train/data/dataset.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/samples.h"
#include "gladius/train/teacher/aligned_teacher.h"

namespace gladius::train {

/// The first text or conversation of the data, to be shown; null where the first hundred examples
/// are given as ids.
std::shared_ptr<const Example> first_text(const Dataset& data);

/// A sample with its prompt, but for the tools, in the student's tokens. Errors of TextEncoder.
Example sample_text(const TextEncoder& student, const Sample& sample);

/// Puts what the student and expert number `index` make of the text's begin into the file, a list
/// with an element for each expert (null: none): {"expert": NAME, "step": STEP, "chunks":
/// [{"student": [TOKEN, ...], "teacher": [...], "compared": true or false}, ...]} (ShownChunk).
/// `step` is that of the sample; nothing (null) of a text of the data. IoError; errors of
/// AlignedTeacher.
void write_alignment(const std::filesystem::path& file, std::size_t index,
                     const ExpertConfig& expert, const AlignedTeacher& aligned, const Example& text,
                     std::optional<std::int64_t> step);

}  // namespace gladius::train
