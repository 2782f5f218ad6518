// A teacher's distributions over its own vocabulary as targets over a student's.
//
// With the text read up to the student's position, of which the student's tokens u lie behind the
// teacher's last boundary, P the teacher's softened distribution at that boundary and pieces(t) the
// student's encoding of the teacher's token t:
//   Z    = sum of P(t) over t whose pieces begin with u
//   q(s) = sum of P(t) over t whose pieces begin with u s, divided by Z
//   r    = P(pieces(t) = u) / Z, the rest: the teacher's token ends here and says no more
// Where the text's next student token is several teacher tokens, the product of their
// probabilities is its probability, and moves there from the first piece that had received it.
// A token that ends a message on one side is the one that ends it on the other.
//
// P may be how often tokens were drawn from the teacher's distribution: then q and r are unbiased
// estimates of what they are of the whole. (The token of a chain takes its share of the draws of
// its first token, by the probability of those that follow, which is known.)
//
// The student is compared over classes: entries with the same bytes count as one, and so do all
// that no teacher's token leads to, which together have the rest. The divergence of the classes is
// that of a distribution q' over all entries in which each class's share is divided as the student
// divides it, with the same gradient; so the loss is distillation_loss against the logits T log q'.
// (Where q gives something to every entry the rest has no place, and is left out.)
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/models/tokenizer/text_alignment.h"

namespace gladius::train {

/// A position whose Z is not above this is not compared: the teacher hardly expected the text.
inline constexpr double kNegligibleProbability = 1e-6;

/// A teacher's reading of a batch: its logits by rows, as they are asked for, and its tokens. If
/// the logits are of tokens that were drawn (sampled_outputs.h), `text` has log P of each row's
/// next token.
struct TeacherReading {
  LogitRows logits;
  std::span<const std::int32_t> ids;
  std::span<const float> text = {};
};

/// What one of the student's rows has from its teacher, as sums of P.
struct ProjectedRow {
  std::span<const float> pieces;  // [V]: Z q, over canonical entries; the others have none
  double total = 0;               // Z
  double rest = 0;                // Z r
};

/// Const methods may be called from several threads.
class VocabularyProjection {
 public:
  VocabularyProjection(std::shared_ptr<const text::TokenPieces> pieces, double temperature);

  /// The target logits [n, V], as distillation_loss takes them, for the student's `rows`, the first
  /// of which has read the tokens `student_ids`[0 .. first_row]. `student` are the student's own
  /// logits [n, V] of these rows; positions without a teacher get them as the target, so that their
  /// divergence is 0. The teacher is asked for blocks of a few rows.
  Tensor targets(const Tensor& student, std::span<const text::AlignedRow> rows,
                 std::span<const std::int32_t> student_ids, std::int64_t first_row,
                 const TeacherReading& teacher) const;

  /// Calls visit(i, row) for each of `rows` that is compared, in order; the row is there during
  /// the call. The other arguments are those of targets(), `entries` the size of the student's
  /// vocabulary.
  void visit(std::int64_t entries, std::span<const text::AlignedRow> rows,
             std::span<const std::int32_t> student_ids, std::int64_t first_row,
             const TeacherReading& teacher,
             const std::function<void(std::size_t i, const ProjectedRow&)>& visit) const;

 private:
  struct Sums;
  Sums sum_up(std::int64_t entries, std::span<const text::AlignedRow> rows,
              std::span<const std::int32_t> student_ids, std::int64_t first_row,
              const TeacherReading& teacher) const;
  std::vector<std::int32_t> emitted(const Sums& sums, std::int64_t i,
                                    const text::AlignedRow& row) const;
  void add_block(Sums& sums, std::span<const text::AlignedRow> rows, const Tensor& logits,
                 std::int64_t begin) const;
  void add_row(Sums& sums, std::int64_t i, const text::AlignedRow& row, const float* P,
               std::int64_t V) const;
  void move_chain(Sums& sums, std::int64_t i, const text::AlignedRow& row) const;
  std::int32_t chain_receiver(const Sums& sums, std::int64_t i, const text::AlignedRow& row) const;
  std::vector<bool> without_continuation(const Sums& sums, std::int64_t i,
                                         const text::AlignedRow& row) const;
  bool to_logits(Sums& sums, std::int64_t i, const text::AlignedRow& row, const float* z) const;

  std::shared_ptr<const text::TokenPieces> pieces_;
  float temperature_;
  std::vector<std::int32_t> first_pieces_;  // of the teacher's entries; -1: none
};

}  // namespace gladius::train
