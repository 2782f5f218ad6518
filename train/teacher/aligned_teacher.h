// A teacher that reads the student's texts through its own tokenizer and chat template.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gladius/autograd/ops/alm_loss.h"
#include "gladius/train/data/batch.h"
#include "gladius/train/data/text_encoder.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/teacher/teacher.h"
#include "gladius/train/teacher/vocabulary_projection.h"

namespace gladius::train {

/// ConfigError: data given as ids has no text that the expert could read.
[[noreturn]] void throw_no_text(const std::string& expert);

/// What a teacher says of a batch, in terms of the student's vocabulary.
struct AlignedTargets {
  TargetRows rows;
  std::int64_t aligned = 0;  // positions that have a teacher
};

/// The teacher's logits, and its row for each of the batch's tokens that ends where one of the
/// teacher's does; -1 for the others.
struct SharedBorders {
  LogitRows logits;
  std::vector<std::int64_t> rows;
};

/// A batch as both sides read it.
struct AlignedReading {
  std::vector<std::int32_t> student_ids, teacher_ids;
  std::vector<text::AlignedRow> rows;  // of the student's tokens
  std::vector<text::AlignedChunk> chunks;
  LogitRows logits;  // of the teacher's; null if nothing is aligned
};

/// A plain text is what the student's tokens spell, so that the teacher reads just what the student
/// does; of a conversation each side renders its own template, and the contents of the messages are
/// compared. For one thread at a time.
class AlignedTeacher {
 public:
  /// What the teacher says of a batch of its own tokens.
  using Read = std::function<TeacherAnswer(const Batch&)>;

  /// Errors of Tokenizer::load and ChatTemplates::load.
  AlignedTeacher(const ExpertConfig& expert, const std::filesystem::path& student_tokenizer,
                 double temperature, Read read);

  // What the losses of LossConfig::cross compare the student with. ConfigError for data given as
  // ids, which has no text.

  /// The teacher's distributions, projected.
  AlignedTargets targets(const Batch& batch) const;
  /// How likely it finds the pieces of the text between shared borders.
  AlmTargets likelihoods(const Batch& batch) const;
  /// Its distributions at shared borders.
  SharedBorders shared_borders(const Batch& batch) const;
  /// What they are made from.
  AlignedReading reading(const Batch& batch) const;

  const text::TokenPieces& pieces() const { return *pieces_; }
  const VocabularyProjection& projection() const { return projection_; }
  const TextEncoder& student() const { return student_; }
  const TextEncoder& teacher() const { return teacher_; }

 private:
  struct Sequence;
  struct Reading;
  Reading read(const Batch& batch) const;
  Sequence align_text(const std::vector<std::int32_t>& ids) const;
  Sequence align_chat(const std::vector<std::int32_t>& ids, const text::Conversation& chat) const;
  Sequence finish(text::TokenizedText student, text::TokenizedText teacher,
                  std::size_t length) const;

  std::string name_;
  TextEncoder student_, teacher_;
  std::shared_ptr<const text::TokenPieces> pieces_;
  double temperature_;
  VocabularyProjection projection_;
  Read read_;
};

}  // namespace gladius::train
