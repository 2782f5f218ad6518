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

/// One of the student's sequences as both sides read it, or several one behind another.
struct AlignedSequence {
  std::vector<text::AlignedRow> rows;  // of the student
  std::vector<std::int64_t> next;      // the student's tokens that these predict; 0: not known
  std::vector<text::AlignedChunk> chunks;
  std::vector<std::int32_t> teacher_ids;  // that the teacher reads; none if nothing is aligned

  void append(AlignedSequence other);
};

/// A batch as both sides read it.
struct AlignedBatch {
  AlignedSequence all;
  std::vector<Example> of_teacher;  // the sequences that the teacher reads
};

/// A batch, and what the teacher says of it.
struct AlignedReading {
  AlignedSequence all;
  std::vector<std::int32_t> ids;  // the student's
  TeacherAnswer answer;           // without logits if nothing is aligned
};

/// A plain text is what the student's tokens spell (without a space that its tokenizer has put in
/// front), so that the teacher reads just what the student does; of a conversation each side
/// renders its own template, and the contents of the messages are compared. Of one that the student
/// has finished itself (on_policy.h) the teacher reads the same prompt and what the student's
/// tokens spell, as far as that is UTF-8, and only that is compared. For one thread at a time.
class AlignedTeacher {
 public:
  /// What the teacher says of a batch of its own tokens.
  using Read = std::function<TeacherAnswer(const Batch&)>;

  /// `student_tokenizer` is the directory that `student` is of. LossTokens::labelled: only
  /// positions with a label have a teacher, and only pieces of the text in which all have. Errors
  /// of Tokenizer::load and ChatTemplates::load.
  AlignedTeacher(const ExpertConfig& expert, std::shared_ptr<const TextEncoder> student,
                 const std::filesystem::path& student_tokenizer, double temperature, Read read,
                 LossTokens tokens = LossTokens::all);

  // What the losses of LossConfig::cross compare the student with. ConfigError for data given as
  // ids, which has no text.

  /// The teacher's distributions, projected.
  AlignedTargets targets(const Batch& batch) const;
  /// How likely it finds the pieces of the text between shared borders.
  AlmTargets likelihoods(const Batch& batch) const;
  /// Its distributions at shared borders.
  SharedBorders shared_borders(const Batch& batch) const;
  /// What they are made from.
  AlignedReading read(const Batch& batch) const;
  /// How both sides read a batch; the teacher itself reads nothing.
  AlignedBatch align(const Batch& batch) const;
  /// How many terms the divergence of such a loss has; the teacher reads nothing.
  std::int64_t compared(const Batch& batch, CrossLoss cross) const;

  const text::TokenPieces& pieces() const { return *pieces_; }
  const VocabularyProjection& projection() const { return projection_; }
  const TextEncoder& student() const { return *student_; }
  const TextEncoder& teacher() const { return teacher_; }

 private:
  AlignedSequence align_text(const std::vector<std::int32_t>& ids) const;
  AlignedSequence align_chat(const std::vector<std::int32_t>& ids,
                             const text::Conversation& chat) const;
  AlignedSequence align_own_answer(const std::vector<std::int32_t>& ids, std::int64_t prompt,
                                   const text::Conversation& chat) const;
  AlignedSequence finish(text::TokenizedText student, text::TokenizedText teacher,
                         std::size_t length) const;

  std::string name_;
  std::shared_ptr<const TextEncoder> student_;
  TextEncoder teacher_;
  std::shared_ptr<const text::TokenPieces> pieces_;
  double temperature_;
  VocabularyProjection projection_;
  Read read_;
  LossTokens tokens_;
};

}  // namespace gladius::train
