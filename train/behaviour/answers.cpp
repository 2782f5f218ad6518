#include "gladius/train/behaviour/answers.h"

#include <utility>

namespace gladius::train {

Answer make_answer(const text::Tokenizer& tokenizer, std::vector<std::int32_t> ids,
                   const GenerateOptions& options) {
  const bool ended = !ids.empty() && options.ends_after(ids.back());
  if (ended) ids.pop_back();
  std::string text = tokenizer.decode(ids);
  return {.text = std::move(text), .cut = !ended, .ids = std::move(ids)};
}

std::vector<Answer> answer_prompts(
    const LanguageModel& model, const text::Tokenizer& tokenizer,
    const std::vector<std::vector<std::int32_t>>& prompts, const GenerateOptions& options,
    std::int64_t batch_size,
    const std::function<void(std::size_t index, const Answer& answer)>& on_answer,
    const MakeConstraint& make_constraint) {
  std::vector<Answer> answers(prompts.size());
  generate_batch(
      model, prompts, options, batch_size,
      [&](std::size_t index, const std::vector<std::int32_t>& ids) {
        answers[index] = make_answer(tokenizer, ids, options);
        if (on_answer) on_answer(index, answers[index]);
      },
      make_constraint);
  return answers;
}

}  // namespace gladius::train
