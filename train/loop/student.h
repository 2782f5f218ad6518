// The model that is trained.
#pragma once

#include <filesystem>
#include <memory>

#include "gladius/models/language_model.h"
#include "gladius/models/model_directory.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// In F32, with fresh weights from the seed (`init_from` is take_layers') or with those of the
/// `init` directory. `warn` is told what of that directory is ignored.
std::shared_ptr<LanguageModel> make_student(const StudentConfig& config, const Warn& warn = {});

/// Writes a student as a model directory, with the tokenizer that it was trained on. IoError.
void save_student(const std::filesystem::path& directory, const LanguageModel& student,
                  const StudentConfig& config);

}  // namespace gladius::train
