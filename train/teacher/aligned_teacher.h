// A teacher that reads the student's texts through its own tokenizer and chat template.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gladius/train/data/batch.h"
#include "gladius/train/data/text_encoder.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/teacher/vocabulary_projection.h"

namespace gladius {

/// ConfigError: data given as ids has no text that the expert could read.
[[noreturn]] void throw_no_text(const std::string& expert);

/// What a teacher says of a batch, in terms of the student's vocabulary.
struct AlignedTargets {
  TargetRows rows;
  std::int64_t aligned = 0;  // positions that have a teacher
};

/// A plain text is what the student's tokens spell, so that the teacher reads just what the student
/// does; of a conversation each side renders its own template, and the contents of the messages are
/// compared. For one thread at a time.
class AlignedTeacher {
 public:
  /// The teacher's logits for a batch of its own tokens.
  using Read = std::function<LogitRows(const Batch&)>;

  /// Errors of Tokenizer::load and ChatTemplates::load.
  AlignedTeacher(const ExpertConfig& expert, const std::filesystem::path& student_tokenizer,
                 double temperature, Read read);

  /// ConfigError for data given as ids, which has no text.
  AlignedTargets targets(const Batch& batch) const;

 private:
  struct Sequence;
  Sequence align_text(const std::vector<std::int32_t>& ids) const;
  Sequence align_chat(const std::vector<std::int32_t>& ids, const Conversation& chat) const;
  Sequence finish(TokenizedText student, TokenizedText teacher, std::size_t length) const;

  std::string name_;
  TextEncoder student_, teacher_;
  std::shared_ptr<const TokenPieces> pieces_;
  VocabularyProjection projection_;
  Read read_;
};

}  // namespace gladius
