#include "gladius/models/generation/generate_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "gladius/autograd/grad_mode.h"
#include "gladius/models/generation/sequence_batch.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

using Ids = std::vector<std::int32_t>;

struct Sequence {
  std::size_t index;  // of its prompt
  Ids text;           // prompt and answer so far
  Generator generator;
  std::unique_ptr<TokenConstraint> constraint;
};

class BatchRun {
 public:
  BatchRun(const LanguageModel& model, const std::vector<Ids>& prompts,
           const GenerateOptions& options, std::int64_t batch_size, const OnAnswer& on_answer,
           const MakeConstraint& make_constraint)
      : prompts_(prompts),
        options_(options),
        batch_size_(batch_size),
        on_answer_(on_answer),
        make_constraint_(make_constraint),
        prompt_pass_(model),
        batch_(model, batch_size),
        answers_(prompts.size()) {}

  std::vector<Ids> run() {
    for (;;) {
      while (next_ < prompts_.size() && batch_.size() < batch_size_) begin(next_++);
      if (sequences_.empty()) return std::move(answers_);
      step();
    }
  }

 private:
  // The prompt goes through the model alone, for what it has in common with the one before.
  void begin(std::size_t index) {
    Sequence sequence{index, prompts_[index], Generator(options_.seed + index), nullptr};
    if (make_constraint_) sequence.constraint = make_constraint_(index);
    if (options_.max_new_tokens == 0 || is_whole(sequence)) return finish(sequence);
    choose(sequence, prompt_pass_.next_logits(sequence.text, 0).reshape({-1}));
    if (has_ended(sequence)) return finish(sequence);
    batch_.add(prompt_pass_.cache(), std::ssize(prompts_[index]));
    sequences_.push_back(std::move(sequence));
  }

  // A token of each sequence.
  void step() {
    Ids ids;
    for (const Sequence& sequence : sequences_) ids.push_back(sequence.text.back());
    const Tensor logits = batch_.next_logits(ids);
    parallel_for(batch_.size(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        choose(sequences_[static_cast<std::size_t>(row)], logits.select(0, row));
      }
    });
    for (std::size_t row = sequences_.size(); row-- > 0;) {
      if (has_ended(sequences_[row])) leave(row);
    }
  }

  void choose(Sequence& sequence, const Tensor& logits) const {
    const std::span values(logits.data<float>(), static_cast<std::size_t>(logits.numel()));
    TokenConstraint* const constraint = sequence.constraint.get();
    if (constraint != nullptr) constraint->mask(values, left_of(sequence));
    const std::int32_t id = sample(values, sequence.text, options_.sampling, sequence.generator);
    if (constraint != nullptr) constraint->advance(id);
    sequence.text.push_back(id);
  }

  std::int64_t left_of(const Sequence& sequence) const {
    return options_.max_new_tokens -
           (std::ssize(sequence.text) - std::ssize(prompts_[sequence.index]));
  }

  // By its constraint.
  bool is_whole(const Sequence& sequence) const {
    return sequence.constraint != nullptr && sequence.constraint->is_finished(left_of(sequence));
  }

  bool has_ended(const Sequence& sequence) const {
    return options_.ends_after(sequence.text.back()) || left_of(sequence) == 0 ||
           is_whole(sequence);
  }

  // As in the batch, the last one takes its place.
  void leave(std::size_t row) {
    finish(sequences_[row]);
    batch_.remove(static_cast<std::int64_t>(row));
    std::swap(sequences_[row], sequences_.back());
    sequences_.pop_back();
  }

  void finish(const Sequence& sequence) {
    Ids& answer = answers_[sequence.index];
    answer.assign(sequence.text.begin() + std::ssize(prompts_[sequence.index]),
                  sequence.text.end());
    if (on_answer_) on_answer_(sequence.index, answer);
  }

  const std::vector<Ids>& prompts_;
  const GenerateOptions& options_;
  std::int64_t batch_size_;
  const OnAnswer& on_answer_;
  const MakeConstraint& make_constraint_;
  TextPass prompt_pass_;
  SequenceBatch batch_;
  std::size_t next_ = 0;             // prompt
  std::vector<Sequence> sequences_;  // in the order of the batch's rows
  std::vector<Ids> answers_;
};

// Whether a text's frequencies would be those of a longer one beside it.
bool depends_on_longest(const RopeParameters& rope, const std::vector<Ids>& prompts,
                        std::int64_t max_new_tokens) {
  return rope.type == "dynamic" && std::ranges::any_of(prompts, [&](const Ids& prompt) {
           return std::ssize(prompt) + max_new_tokens > rope.max_position_embeddings;
         });
}

}  // namespace

std::vector<Ids> generate_batch(const LanguageModel& model, const std::vector<Ids>& prompts,
                                const GenerateOptions& options, std::int64_t batch_size,
                                const OnAnswer& on_answer, const MakeConstraint& make_constraint) {
  check_generate_options(options);
  if (batch_size < 1) {
    throw ConfigError(
        fmt::format("generate_batch: batch_size is {}; it must be 1 or more", batch_size));
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (prompts[i].empty()) {
      throw ShapeError(fmt::format("generate_batch: prompt {} has no tokens", i));
    }
  }
  const NoGrad no_grad;
  const bool alone = depends_on_longest(model.config().rope, prompts, options.max_new_tokens);
  return BatchRun(model, prompts, options, alone ? 1 : batch_size, on_answer, make_constraint)
      .run();
}

}  // namespace gladius
