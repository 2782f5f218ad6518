#include "gladius/train/loop/student.h"

#include "gladius/models/model_directory.h"
#include "gladius/tensor/random.h"
#include "gladius/train/run/model_paths.h"

namespace gladius::train {

std::shared_ptr<LanguageModel> make_student(const StudentConfig& config, const Warn& warn) {
  std::shared_ptr<LanguageModel> student = make_language_model(ModelConfig::load(config.config));
  if (config.init) {
    const LoadOptions options{.trainable = true, .warn = warn};
    student->take_state_dict(load_model(find_model(*config.init).paths, options)->state_dict());
  } else {
    Generator generator(static_cast<std::uint64_t>(config.seed));
    student->init_weights(generator);
  }
  return student;
}

void save_student(const std::filesystem::path& directory, const LanguageModel& student,
                  const StudentConfig& config) {
  save_model(directory, student);
  if (config.tokenizer) copy_tokenizer(*config.tokenizer, directory);
}

}  // namespace gladius::train
