// The expert that a student learns from.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/models/language_model.h"
#include "gladius/train/data/batch.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// A teacher's logits for the tokens of a batch, by rows as they are asked for.
struct TeacherAnswer {
  TeacherAnswer(LogitRows rows, std::vector<float> text_log_p = {})
      : logits(std::move(rows)), text(std::move(text_log_p)) {}
  LogitRows logits;
  /// log P of each row's next token in its example, softened, where the logits do not have it;
  /// else empty.
  std::vector<float> text;
};

/// How many entries the expert's tokenizer has; nothing where there is none, or one of a kind that
/// is not supported.
std::optional<std::int64_t> expert_entries(const ExpertConfig& expert);

/// Whether models with vocabularies of these sizes can be compared as the expert's mode says.
/// `entries` is the size of the tokenizer that both have, if they have one. ConfigError.
void check_vocabulary(const ExpertConfig& expert, std::int64_t student_vocab_size,
                      std::int64_t expert_vocab_size, std::optional<std::int64_t> entries);

/// A model that only answers: its weights stay in the type they have on disk, mapped, and no graph
/// is recorded. Const methods may be called from several threads.
///
/// It shares with the student the first `vocabulary()` entries. With VocabularyMode::same those are
/// all, or, where the models' sizes differ, those of their tokenizer (ConfigError if there is none,
/// or if a model has fewer). With truncate they are the first of both models' and of the expert's
/// own tokenizer, where its directory has one: rows of the output beyond its last token (models pad
/// them to round numbers) never count. Rows beyond them are not
/// even computed. With align it has all of its own tokenizer's, and reads its own tokens
/// (aligned_teacher.h).
class Teacher {
 public:
  /// `warn` is told what truncation means for this pair. IoError, FormatError, ConfigError.
  Teacher(const ExpertConfig& expert, std::int64_t student_vocab_size,
          const std::function<void(const std::string&)>& warn);

  std::int64_t vocabulary() const { return model_->config().vocab_size; }
  /// Reads the batch and gives its logits [N, vocabulary()] in blocks of rows, which are computed
  /// as they are asked for, while this teacher lives. ConfigError for a token that the expert does
  /// not have.
  LogitRows logits(const Batch& batch) const;
  /// The two halves of that: F32 [N, hidden_size()] of the batch's tokens, and the logits of rows
  /// of these. The second is a few percent of the work.
  Tensor hidden_states(const Batch& batch) const;
  Tensor head(const Tensor& hidden) const;
  std::int64_t hidden_size() const { return model_->config().hidden_size; }

 private:
  Teacher(const ExpertConfig& expert, std::shared_ptr<const LanguageModel> model,
          std::int64_t student_vocab_size, const std::function<void(const std::string&)>& warn);

  std::string name_;
  std::shared_ptr<const LanguageModel> model_;
};

}  // namespace gladius::train
