// A teacher that reads each example once.
#pragma once

#include <memory>
#include <optional>

#include "gladius/train/teacher/sampled_outputs.h"
#include "gladius/train/teacher/teacher.h"
#include "gladius/train/teacher/teacher_cache.h"

namespace gladius::train {

/// What counts of a teacher's distributions: all, or one of these.
struct OutputLimit {
  std::optional<std::int64_t> top_k = {};
  std::optional<SamplingOptions> samples = {};
};

/// Puts a cache before a teacher, and keeps a part of its distributions (OutputLimit).
///
/// It keeps a token's hidden states, from which the head makes the same logits, to the bit, for a
/// few percent of the work and in far less space; or with `top_k` the K largest logits
/// and whose they are. All others are then -infinity: the teacher's distribution is renormalised
/// over K entries, the student's is not, and where K is the whole vocabulary nothing changes. Or
/// with `samples` some tokens drawn from it (sampled_outputs.h), and how likely the next one is.
///
/// What the student wrote itself comes once, so it passes the cache by.
///
/// The teacher reads the examples of a batch one by one, so that the bits of an answer do not
/// depend on the batch it was first given in.
///
/// For one thread at a time: answer() reads and fills the cache.
class CachedTeacher {
 public:
  /// `teacher` must outlive it; `cache` may be null, and then nothing is kept.
  CachedTeacher(const Teacher& teacher, const OutputLimit& limit,
                std::unique_ptr<TeacherCache> cache);

  /// As Teacher::logits; what comes is F32.
  TeacherAnswer answer(const Batch& batch);
  LogitRows logits(const Batch& batch) { return answer(batch).logits; }

 private:
  std::int64_t width() const;
  Tensor output(const Batch& example) const;
  Tensor top_k_of(const Tensor& hidden) const;
  Tensor draws_of(const Tensor& hidden, const Batch& example) const;
  template <class Fill>
  Tensor by_blocks(const Tensor& hidden, const Fill& fill) const;
  Tensor rows(const Tensor& output) const;

  const Teacher& teacher_;
  std::int64_t k_;  // 0: all
  std::optional<SamplingOptions> samples_;
  std::unique_ptr<TeacherCache> cache_;
};

}  // namespace gladius::train
