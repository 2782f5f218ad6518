#include "gladius/train/teacher/teacher.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "gladius/autograd/grad_mode.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/data/batch_logits.h"
#include "gladius/train/run/model_paths.h"

namespace gladius::train {
namespace {

// Entries that both models have.
std::int64_t shared_vocabulary(const ExpertConfig& expert, std::int64_t student,
                               std::int64_t teacher,
                               const std::function<void(const std::string&)>& warn) {
  const bool align = expert.vocabulary == VocabularyMode::align;
  const bool same = !align && expert.vocabulary != VocabularyMode::truncate;
  if (same && student == teacher) return student;
  const auto entries = expert_entries(expert);
  check_vocabulary(expert, student, teacher, entries);
  if (same) return entries.value();
  const std::int64_t vocabulary =
      std::min({align ? teacher : std::min(student, teacher), entries.value_or(teacher)});
  if (align) return vocabulary;
  warn(fmt::format(
      "expert {}: vocabulary truncated to the first {} entries (student {}, expert {}), "
      "over which both distributions are renormalised",
      expert.name, vocabulary, student, teacher));
  return vocabulary;
}

// The model with the first `vocabulary` rows of its tables: views, no copy.
std::shared_ptr<const LanguageModel> with_vocabulary(std::shared_ptr<const LanguageModel> model,
                                                     std::int64_t vocabulary) {
  ModelConfig config = model->config();
  if (config.vocab_size == vocabulary) return model;
  NamedTensors state;
  for (const auto& [name, parameter, role] : model->parameters_with_roles()) {
    const bool table = role == nn::ParameterRole::embedding || role == nn::ParameterRole::head;
    const Tensor& value = parameter.value();
    state.emplace_back(name, table ? value.narrow(0, 0, vocabulary) : value);
  }
  config.vocab_size = vocabulary;
  std::shared_ptr<LanguageModel> smaller = make_language_model(config);
  smaller->set_requires_grad(false);  // the expert's weights may be of 16 bits
  smaller->load_state_dict(state);
  return smaller;
}

}  // namespace

std::optional<std::int64_t> expert_entries(const ExpertConfig& expert) try {
  const auto directory = find_model(expert.model).paths.tokenizer;
  if (!text::has_tokenizer(directory)) return {};
  return text::Tokenizer::load(directory).vocab_size();
} catch (const ConfigError&) {
  return {};
}

void check_vocabulary(const ExpertConfig& expert, std::int64_t student_vocab_size,
                      std::int64_t expert_vocab_size, std::optional<std::int64_t> entries) {
  const bool by_id =
      expert.vocabulary == VocabularyMode::automatic || expert.vocabulary == VocabularyMode::same;
  const std::int64_t both = std::min(student_vocab_size, expert_vocab_size);
  if (!by_id || student_vocab_size == expert_vocab_size || (entries && *entries <= both)) return;
  throw ConfigError(fmt::format(
      "expert {}: its vocabulary has {} entries, the student's {}; with \"vocabulary\": \"same\" "
      "they must be equal, or {} (\"truncate\" compares the first {})",
      expert.name, expert_vocab_size, student_vocab_size,
      entries ? fmt::format("both must have the {} of their tokenizer", *entries)
              : "have a tokenizer.json that says which of them are used",
      both));
}

Teacher::Teacher(const ExpertConfig& expert, std::int64_t student_vocab_size,
                 const std::function<void(const std::string&)>& warn)
    : Teacher(expert, load_model(find_model(expert.model).paths, {.warn = warn}),
              student_vocab_size, warn) {}

Teacher::Teacher(const ExpertConfig& expert, std::shared_ptr<const LanguageModel> model,
                 std::int64_t student_vocab_size,
                 const std::function<void(const std::string&)>& warn)
    : name_(expert.name),
      model_(with_vocabulary(
          model, shared_vocabulary(expert, student_vocab_size, model->config().vocab_size, warn))) {
}

LogitRows Teacher::logits(const Batch& batch) const {
  return [this, hidden = hidden_states(batch)](std::int64_t begin, std::int64_t end) {
    return head(hidden.narrow(0, begin, end - begin));
  };
}

Tensor Teacher::hidden_states(const Batch& batch) const {
  const auto ids = batch.ids.to_vector<std::int64_t>();
  if (const std::int64_t largest = std::ranges::max(ids); largest >= vocabulary()) {
    throw ConfigError(fmt::format(
        "expert {}: the data has token {}, the expert's vocabulary ends at {}; it cannot read "
        "that data",
        name_, largest, vocabulary() - 1));
  }
  const NoGrad no_grad;
  return batch_hidden_states(*model_, batch).value().to(Dtype::F32);
}

Tensor Teacher::head(const Tensor& hidden) const {
  const NoGrad no_grad;
  return model_->head(Variable(hidden)).value();
}

}  // namespace gladius::train
