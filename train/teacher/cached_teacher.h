// A teacher that reads each example once.
#pragma once

#include <memory>
#include <optional>

#include "gladius/train/teacher/teacher.h"
#include "gladius/train/teacher/teacher_cache.h"

namespace gladius {

/// Puts a cache before a teacher, and limits its distributions to the most probable tokens.
///
/// It keeps a token's hidden states, from which the head makes the same logits, to the bit, for a
/// few percent of the work and in far less space; or with `top_k` the K largest logits
/// and whose they are. All others are then -infinity: the teacher's distribution is renormalised
/// over K entries, the student's is not, and where K is the whole vocabulary nothing changes.
///
/// The teacher reads the examples of a batch one by one, so that the bits of an answer do not
/// depend on the batch it was first given in.
///
/// For one thread at a time: logits() reads and fills the cache.
class CachedTeacher {
 public:
  /// `teacher` must outlive it; `cache` may be null, and then nothing is kept.
  CachedTeacher(const Teacher& teacher, std::optional<std::int64_t> top_k,
                std::unique_ptr<TeacherCache> cache);

  /// As Teacher::logits; what comes is F32.
  LogitRows logits(const Batch& batch);

 private:
  std::int64_t width() const;
  Tensor output(const Batch& example) const;
  Tensor top_k_of(const Tensor& hidden) const;
  Tensor rows(const Tensor& output) const;

  const Teacher& teacher_;
  std::int64_t k_;  // 0: hidden states are kept
  std::unique_ptr<TeacherCache> cache_;
};

}  // namespace gladius
