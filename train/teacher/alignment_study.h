// Two tokenizers side by side, and what a teacher is worth through a student's vocabulary.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/models/tokenizer/token_pieces.h"
#include "gladius/train/data/example.h"
#include "gladius/train/teacher/aligned_teacher.h"
#include "gladius/train/teacher/teacher.h"

namespace gladius::train {

/// Entries by their bytes (token_bytes.h); special tokens have none.
struct VocabularyOverlap {
  std::int64_t student_entries = 0, teacher_entries = 0;
  std::int64_t shared_byte_strings = 0;  // that both have an entry for
  std::int64_t shared_entries = 0;       // the student's entries with these
  /// Entries whose bytes an entry of a smaller id has.
  std::int64_t student_duplicates = 0, teacher_duplicates = 0;
  std::int64_t never_compared = 0;  // teacher's entries without pieces
  double pieces_per_entry = 0;      // mean over the teacher's others
};
VocabularyOverlap vocabulary_overlap(const text::TokenBytes& student,
                                     const text::TokenBytes& teacher,
                                     const text::TokenPieces& pieces);

/// Bits a byte of the text that the tokens stand for: of the teacher over its own tokens, and over
/// the student's tokens that have a teacher.
struct AlignedBits {
  double teacher = 0;
  double aligned = 0;              // the student's tokens by the projected distributions
  std::optional<double> truncate;  // nothing where the teacher lacks one of their ids
  double uniform = 0;              // over the student's vocabulary
};

/// A token as people read it. `bits` are -log2 of its probability, where that is known.
struct ShownToken {
  std::string text;
  std::string note;  // what the teacher's probabilities went to
  std::optional<double> bits;
};
/// Tokens of both sides between borders that both have; those of one side alone where the texts
/// differ.
struct ShownChunk {
  std::vector<ShownToken> student, teacher;
  bool compared = false;  // they spell the same, and no template has written them
};

struct AlignmentStudy {
  std::int64_t bytes = 0;  // of the text that the student's tokens spell
  std::int64_t student_tokens = 0, teacher_tokens = 0;
  std::int64_t positions = 0;  // of the student's tokens that could be predicted: all but the first
  std::int64_t aligned = 0;    // of these, that have a teacher
  /// Of those, where the projection gives the text's own token nothing: it spells what the
  /// teacher's tokens say in another way, and no border is shared at its end. They are in no mean
  /// below.
  std::int64_t impossible = 0;
  /// And where the teacher gave next to nothing to what the text begins with; nor are they trained
  /// on (vocabulary_projection.h).
  std::int64_t negligible = 0;
  double shared_boundaries = 0;     // part of `positions` at which one of the teacher's tokens ends
  std::optional<double> mean_rest;  // of the aligned positions
  std::optional<AlignedBits> bits;  // with the teacher's weights
  std::vector<ShownChunk> sample;   // of the text's begin
};

/// The models whose probabilities are wanted; null for the tokenizers alone.
struct StudiedTeacher {
  const Teacher* own = nullptr;        // that reads its own tokens (VocabularyMode::align)
  const Teacher* truncated = nullptr;  // VocabularyMode::truncate
};

/// Of texts in the student's tokens, each read by itself. At most `sample_tokens` of the first are
/// kept to be shown. `progress(n)` is called when n of them are read.
AlignmentStudy study_alignment(const AlignedTeacher& aligned, const StudiedTeacher& teacher,
                               const std::vector<Example>& texts, std::int64_t sample_tokens,
                               const std::function<void(std::size_t)>& progress);

/// How both sides read the begin of a text, at most `most_tokens` of the student's: borders alone,
/// without probabilities.
std::vector<ShownChunk> show_alignment(const AlignedTeacher& aligned, const Example& text,
                                       std::int64_t most_tokens);

}  // namespace gladius::train
