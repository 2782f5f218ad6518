#include "gladius/autograd/ops/uld_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <type_traits>

#include "gladius/autograd/ops/linear_blocks.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/kernels/distillation_loss.h"
#include "gladius/tensor/kernels/softmax.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

using namespace linear_blocks;
using namespace vocabulary_loss;

// Probabilities and whose they are, the largest first. As they are not negative their bits are in
// order, and a radix sort takes a tenth of a comparison sort's time.
template <class T>
class Ranking {
 public:
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  struct Entry {
    Bits bits;
    std::uint32_t index;
    T value() const { return std::bit_cast<T>(bits); }
  };

  const std::vector<Entry>& sort(const T* probabilities, std::int64_t n) {
    entries_.clear();
    for (std::int64_t i = 0; i < n; ++i) {
      entries_.push_back({std::bit_cast<Bits>(probabilities[i]), static_cast<std::uint32_t>(i)});
    }
    if (entries_.size() < kValues) {
      std::ranges::stable_sort(entries_, std::ranges::greater(), &Entry::bits);
      return entries_;
    }
    other_.resize(entries_.size());
    for (int shift = 0; shift < std::numeric_limits<Bits>::digits; shift += kDigit) pass(shift);
    return entries_;
  }

 private:
  static constexpr int kDigit = 11;
  static constexpr std::size_t kValues = std::size_t{1} << kDigit;

  // Stable, the larger digit first.
  void pass(int shift) {
    const auto digit = [&](const Entry& entry) {
      return kValues - 1 - (static_cast<std::size_t>(entry.bits >> shift) & (kValues - 1));
    };
    std::array<std::size_t, kValues + 1> places{};
    for (const Entry& entry : entries_) ++places[digit(entry) + 1];
    for (std::size_t value = 1; value < kValues; ++value) places[value] += places[value - 1];
    for (const Entry& entry : entries_) other_[places[digit(entry)]++] = entry;
    entries_.swap(other_);
  }

  std::vector<Entry> entries_, other_;
};

// What a thread needs to compare rows.
template <class T>
struct UldScratch {
  std::vector<T> student, teacher, slopes;
  Ranking<T> of_student, of_teacher;
};

template <class T>
void softened(const T* logits, std::int64_t n, double temperature, std::vector<T>& out) {
  out.resize(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    out[static_cast<std::size_t>(i)] = logits[i] / static_cast<T>(temperature);
  }
  kernels::softmax(out.data(), out.data(), 1, n);
}

// The sum of the differences; `slopes` are its derivatives by the student's probabilities.
template <class T>
double compare_ranked(UldScratch<T>& scratch) {
  const auto& ours = scratch.of_student.sort(scratch.student.data(), std::ssize(scratch.student));
  const auto& theirs = scratch.of_teacher.sort(scratch.teacher.data(), std::ssize(scratch.teacher));
  scratch.slopes.resize(ours.size());
  double sum = 0;
  for (std::size_t rank = 0; rank < std::max(ours.size(), theirs.size()); ++rank) {
    const T p = rank < ours.size() ? ours[rank].value() : T{0};
    const T q = rank < theirs.size() ? theirs[rank].value() : T{0};
    sum += std::abs(static_cast<double>(p) - static_cast<double>(q));
    if (rank < ours.size()) {
      scratch.slopes[ours[rank].index] =
          static_cast<T>(static_cast<int>(p > q) - static_cast<int>(p < q));
    }
  }
  return sum;
}

// The work on a block of rows, the first of which is `begin`.
template <class T>
class UldBlock {
 public:
  UldBlock(const Task& task, std::span<const std::int64_t> teacher_rows, const Tensor& labels,
           const Tensor& logits, std::int64_t begin, T* gradient)
      : task_(task),
        teacher_rows_(teacher_rows.subspan(static_cast<std::size_t>(begin),
                                           static_cast<std::size_t>(logits.size(0)))),
        labels_(labels.data<std::int64_t>() + begin),
        V_(logits.size(1)),
        z_(logits.data<T>()),
        gradient_(gradient) {
    terms_.ce.resize(teacher_rows_.size());
    terms_.kl.resize(teacher_rows_.size());
  }

  Terms run(const LogitRows& teacher) {
    parallel_for(std::ssize(teacher_rows_), 1, [&](std::int64_t low, std::int64_t high) {
      for (std::int64_t i = low; i < high; ++i) {
        if (teacher_row(i) < 0) label_loss(i);
      }
    });
    const auto [first, last] = needed_rows();
    for (std::int64_t at = first; at <= last; at += kTeacherRows) {
      const std::int64_t count = std::min(kTeacherRows - 1, last - at) + 1;
      compare(teacher(at, at + count).to(dtype_of<T>).contiguous(), at);
    }
    return std::move(terms_);
  }

 private:
  std::int64_t teacher_row(std::int64_t i) const {
    return teacher_rows_[static_cast<std::size_t>(i)];
  }

  // The teacher's rows [first, last]; last is less if there are none.
  std::pair<std::int64_t, std::int64_t> needed_rows() const {
    std::int64_t first = std::numeric_limits<std::int64_t>::max(), last = -1;
    for (const std::int64_t row : teacher_rows_) {
      if (row < 0) continue;
      first = std::min(first, row);
      last = std::max(last, row);
    }
    return {first, last};
  }

  // The rows whose counterparts are among the teacher's logits, the first of which is `begin`.
  void compare(const Tensor& teacher, std::int64_t begin) {
    const std::int64_t count = teacher.size(0), width = teacher.size(1);
    const T* logits = teacher.data<T>();
    std::vector<std::int64_t> readers;
    for (std::int64_t i = 0; i < std::ssize(teacher_rows_); ++i) {
      if (teacher_row(i) >= begin && teacher_row(i) < begin + count) readers.push_back(i);
    }
    parallel_for(std::ssize(readers), 1, [&](std::int64_t low, std::int64_t high) {
      UldScratch<T> scratch;
      for (const std::int64_t i : std::span(readers).subspan(
               static_cast<std::size_t>(low), static_cast<std::size_t>(high - low))) {
        softened(logits + (teacher_row(i) - begin) * width, width, task_.temperature,
                 scratch.teacher);
        ranked_loss(i, scratch);
      }
    });
  }

  void label_loss(std::int64_t i) {
    const auto row = static_cast<std::size_t>(i);
    double none = 0;
    kernels::distillation_loss<T>(z_ + i * V_, nullptr, labels_ + i,
                                  gradient_ ? gradient_ + i * V_ : nullptr, &terms_.ce[row], &none,
                                  1, V_, 0, 0, task_.ignore_index, 1, task_.ce_scale, 0);
  }

  void ranked_loss(std::int64_t i, UldScratch<T>& scratch) {
    const double T2 = task_.temperature * task_.temperature;
    softened(z_ + i * V_, V_, task_.temperature, scratch.student);
    label_loss(i);  // the gradient may take the logits' place
    terms_.kl[static_cast<std::size_t>(i)] = T2 * compare_ranked(scratch);
    if (!gradient_) return;
    kernels::softmax_backward(scratch.student.data(), scratch.slopes.data(), scratch.slopes.data(),
                              1, V_);
    const auto scale = static_cast<T>(task_.kl_scale * T2 / task_.temperature);
    for (std::int64_t v = 0; v < V_; ++v) {
      gradient_[i * V_ + v] += scale * scratch.slopes[static_cast<std::size_t>(v)];
    }
  }

  const Task& task_;
  std::span<const std::int64_t> teacher_rows_;
  const std::int64_t* labels_;
  std::int64_t V_;
  const T* z_;
  T* gradient_;
  Terms terms_;
};

}  // namespace

DistillationLoss linear_uld_loss(const Variable& x, const Variable& weight,
                                 const LogitRows& teacher,
                                 std::span<const std::int64_t> teacher_rows, const Tensor& labels,
                                 const DistillationOptions& options) {
  constexpr const char* kName = "linear_uld_loss";
  check(kName, x, weight, labels);
  require_forward_kl(kName, options);
  if (std::ssize(teacher_rows) != x.size(0)) {
    throw ShapeError(fmt::format("{}: {} of the teacher's rows for {} of the student's", kName,
                                 teacher_rows.size(), x.size(0)));
  }
  DistillationOptions settings = options;
  settings.rows = std::max<std::int64_t>(
      1, std::ranges::count_if(teacher_rows, [](std::int64_t row) { return row >= 0; }));
  settings.vocabulary = 0;
  const Tensor classes = fitting_labels(kName, labels);
  const Distillation settled = distillation(kName, weight.size(0), classes, settings);
  Forward result =
      forward(x, weight, block_ends(x.size(0)),
              [&](const Tensor& logits, std::int64_t begin, const Tensor& gradient) {
                return dispatch_floating(kName, logits.dtype(), [&](auto zero) {
                  using T = decltype(zero);
                  return UldBlock<T>(settled.task, teacher_rows, classes, logits, begin,
                                     gradient.defined() ? gradient.data<T>() : nullptr)
                      .run(teacher);
                });
              });
  return record_distillation(x, weight, std::move(result), settled);
}

}  // namespace gladius
