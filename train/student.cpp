#include "gladius/train/student.h"

#include "gladius/models/model_directory.h"
#include "gladius/tensor/random.h"

namespace gladius {

std::shared_ptr<CausalLM> make_student(const StudentConfig& config) {
  auto student = std::make_shared<CausalLM>(ModelConfig::load(config.config));
  if (config.init) {
    student->load_state_dict(load_model(*config.init, {.trainable = true}).state_dict());
  } else {
    Generator generator(static_cast<std::uint64_t>(config.seed));
    student->init_weights(generator);
  }
  return student;
}

}  // namespace gladius
