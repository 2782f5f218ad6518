// What the fused losses over the vocabulary share: their checks, and the kernel over rows.
#pragma once

#include <cstdint>
#include <vector>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/losses.h"

namespace gladius::vocabulary_loss {

/// What is to be computed of each row.
struct Task {
  const char* op;
  std::int64_t ignore_index;
  std::int64_t vocabulary = 0;  // entries that are compared with the teacher's
  double temperature = 1;
  Divergence divergence = Divergence::forward_kl;
  double beta = 0.5;
  bool labelled_only = false;         // rows without a label are not compared
  double ce_scale = 1, kl_scale = 0;  // of the terms, in the loss and its gradient
};

/// Rows of a batch, contiguous; an undefined teacher means cross-entropy alone. `compared`: as in
/// DistillationOptions.
struct Rows {
  Tensor logits, teacher, labels;
  Tensor compared = {};

  bool is_compared(const Task& task, std::int64_t row) const {
    return !(compared.defined() && !compared.data<bool>()[row]) &&
           !(task.labelled_only && labels.data<std::int64_t>()[row] == task.ignore_index);
  }
};

/// The elements of a mask that belong to rows from `begin` on; undefined stays so.
inline Tensor rows_of_mask(const Tensor& mask, std::int64_t begin, std::int64_t rows) {
  return mask.defined() ? mask.narrow(0, begin, rows) : Tensor();
}

/// Terms of the rows, before they are scaled.
struct Terms {
  std::vector<double> ce, kl;
};

/// In the order of the rows.
double total(const std::vector<double>& terms);
inline double total(const Terms& terms, const Task& task) {
  return total(terms.ce) * task.ce_scale + total(terms.kl) * task.kl_scale;
}

/// The labels as the kernel takes them: I64, contiguous. DtypeError.
Tensor fitting_labels(const char* op, const Tensor& labels);

/// The rows with a label, which must be in [0, V) or `ignore_index` (ShapeError). These labels and
/// those below are of fitting_labels.
std::int64_t count_labels(const char* op, std::int64_t V, const Tensor& labels,
                          std::int64_t ignore_index);

/// A distillation over V entries, and by what its terms are divided for `kl` and `ce`; `compared`
/// is contiguous. As count_labels; ConfigError; ShapeError and DtypeError for `compared`.
struct Distillation {
  Task task;
  double counted, labelled;
  Tensor compared = {};
};
Distillation distillation(const char* op, std::int64_t V, const Tensor& labels,
                          const DistillationOptions& options);

/// ConfigError for what a loss that takes the place of the divergence does not know.
void require_forward_kl(const char* op, const DistillationOptions& options);

/// The teacher's logits as the kernel takes them beside the student's. ShapeError; with
/// `same_width` for another number of entries as well.
Tensor fitting_teacher(const Task& task, const Tensor& student, const Tensor& teacher,
                       bool same_width);

/// Runs the kernel; writes the gradient if there is a place for it, which may be the logits.
Terms run(const Task& task, const Rows& rows, const Tensor& gradient);

/// A gradient kept from the forward pass times that of the loss, a number or one for each row; in
/// place if this is its last use.
Variable weighted(Tensor& gradient, const Tensor& g, const BackwardContext& context);

/// What a distillation says that is to be differentiated twice.
[[noreturn]] void throw_differentiable_once(const char* op);

}  // namespace gladius::vocabulary_loss
