#include "gladius/train/teacher/vocabulary_projection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "gladius/tensor/kernels/softmax.h"
#include "gladius/tensor/kernels/unary.h"
#include "gladius/tensor/parallel.h"

namespace gladius::train {
namespace {

// The teacher's rows that are needed: those that rows name, and those of the chains.
std::pair<std::int64_t, std::int64_t> needed(std::span<const text::AlignedRow> rows) {
  std::int64_t begin = std::numeric_limits<std::int64_t>::max(), end = 0;
  for (const text::AlignedRow& row : rows) {
    if (row.teacher_row < 0) continue;
    begin = std::min<std::int64_t>(begin, row.teacher_row);
    end = std::max<std::int64_t>({end, row.teacher_row + 1, row.chain_end - 1});
  }
  return {std::min(begin, end), end};
}

// log(sum(exp(z / T))) over the chosen entries.
double log_sum(const float* z, const std::vector<bool>& chosen, float T) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::size_t s = 0; s < chosen.size(); ++s) {
    if (chosen[s]) largest = std::max(largest, static_cast<double>(z[s] / T));
  }
  for (std::size_t s = 0; s < chosen.size(); ++s) {
    if (chosen[s]) sum += std::exp(static_cast<double>(z[s] / T) - largest);
  }
  return largest + std::log(sum);
}

}  // namespace

// What is summed up of n student rows.
struct VocabularyProjection::Sums {
  Tensor q;                           // F32 [n, V]
  std::vector<double> total, rest;    // Z, and what of it is the rest
  std::vector<float> text;            // P(the text's next token) by the teacher's rows, as read
  std::int64_t text_begin;            // the first of these
  std::span<const float> text_log_p;  // of all its rows, if P is of draws
  std::span<const std::int32_t> ids;  // of the student
  std::int64_t first_row;             // of the student, in ids
  std::span<const std::int32_t> teacher_ids;
};

VocabularyProjection::VocabularyProjection(std::shared_ptr<const text::TokenPieces> pieces,
                                           double temperature)
    : pieces_(std::move(pieces)), temperature_(static_cast<float>(temperature)) {
  for (std::int32_t t = 0; t < pieces_->teacher_size(); ++t) {
    const auto list = pieces_->pieces(t);
    first_pieces_.push_back(list.empty() ? -1 : list.front());
  }
}

// The student's tokens behind the teacher's boundary.
std::vector<std::int32_t> VocabularyProjection::emitted(const Sums& sums, std::int64_t i,
                                                        const text::AlignedRow& row) const {
  std::vector<std::int32_t> tokens;
  const std::int64_t end = sums.first_row + i + 1;
  for (std::int64_t at = end - row.emitted; at < end; ++at) {
    tokens.push_back(pieces_->canonical(sums.ids[static_cast<std::size_t>(at)]));
  }
  return tokens;
}

// P(t) goes to the piece of t that is next.
void VocabularyProjection::add_row(Sums& sums, std::int64_t i, const text::AlignedRow& row,
                                   const float* P, std::int64_t V) const {
  const auto index = static_cast<std::size_t>(i);
  float* q = sums.q.data<float>() + i * sums.q.size(1);
  double total = 0, rest = 0;
  if (row.emitted == 0) {
    const std::int64_t entries = std::min(V, pieces_->teacher_size());
    for (std::int64_t t = 0; t < entries; ++t) {
      const std::int32_t piece = first_pieces_[static_cast<std::size_t>(t)];
      if (piece < 0 || t == row.teacher_end) continue;
      q[piece] += P[t];
      total += static_cast<double>(P[t]);
    }
    if (row.teacher_end >= 0 && row.teacher_end < V) {
      q[row.student_end] += P[row.teacher_end];
      total += static_cast<double>(P[row.teacher_end]);
    }
  } else {
    const std::vector<std::int32_t> prefix = emitted(sums, i, row);
    const auto [first, last] = pieces_->beginning_with(prefix);
    for (const std::int32_t t : pieces_->order().subspan(first, last - first)) {
      if (t >= V) continue;
      const auto list = pieces_->pieces(t);
      const auto p = static_cast<double>(P[t]);
      total += p;
      if (list.size() == prefix.size()) {
        rest += p;
      } else {
        q[list[prefix.size()]] += P[t];
      }
    }
  }
  sums.total[index] = total;
  sums.rest[index] = rest;
}

void VocabularyProjection::add_block(Sums& sums, std::span<const text::AlignedRow> rows,
                                     const Tensor& logits, std::int64_t begin) const {
  const std::int64_t count = logits.size(0), V = logits.size(1);
  const float* z = logits.data<float>();
  // The student's rows of each of the teacher's.
  std::vector<std::vector<std::int64_t>> readers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t row = rows[i].teacher_row - begin;
    if (rows[i].teacher_row >= 0 && row >= 0 && row < count) {
      readers[static_cast<std::size_t>(row)].push_back(static_cast<std::int64_t>(i));
    }
  }
  parallel_for(count, 1, [&](std::int64_t low, std::int64_t high) {
    std::vector<float> P(static_cast<std::size_t>(V));
    float* p = P.data();
    for (std::int64_t row = low; row < high; ++row) {
      for (std::int64_t v = 0; v < V; ++v) p[v] = z[row * V + v] / temperature_;
      kernels::softmax(p, p, 1, V);
      const auto next = static_cast<std::size_t>(begin + row + 1);
      if (next < sums.teacher_ids.size() && sums.teacher_ids[next] < V) {
        sums.text[static_cast<std::size_t>(begin + row - sums.text_begin)] =
            p[sums.teacher_ids[next]];
      }
      for (const std::int64_t i : readers[static_cast<std::size_t>(row)]) {
        add_row(sums, i, rows[static_cast<std::size_t>(i)], p, V);
      }
    }
  });
}

// The piece that has received the first token of a chain in place of the text's next token; -1:
// there is no chain, or it is that token.
std::int32_t VocabularyProjection::chain_receiver(const Sums& sums, std::int64_t i,
                                                  const text::AlignedRow& row) const {
  if (row.chain_end == row.chain_begin) return -1;
  const auto list = pieces_->pieces(sums.teacher_ids[static_cast<std::size_t>(row.chain_begin)]);
  const std::vector<std::int32_t> before = emitted(sums, i, row);
  const std::size_t place = before.size();
  const bool received = place < list.size() && std::ranges::equal(list.first(place), before);
  return received && list[place] != row.next ? list[place] : -1;
}

// The entries that no token of the teacher's goes on with behind what the student has emitted.
std::vector<bool> VocabularyProjection::without_continuation(const Sums& sums, std::int64_t i,
                                                             const text::AlignedRow& row) const {
  const std::int64_t V = sums.q.size(1);
  const float* q = sums.q.data<float>() + i * V;
  std::vector<bool> without(static_cast<std::size_t>(V));
  for (std::int64_t s = 0; s < V; ++s) without[static_cast<std::size_t>(s)] = q[s] <= 0;
  const std::vector<std::int32_t> prefix = emitted(sums, i, row);
  const auto [first, last] = pieces_->beginning_with(prefix);
  for (const std::int32_t t : pieces_->order().subspan(first, last - first)) {
    const auto list = pieces_->pieces(t);
    if (list.size() > prefix.size()) without[static_cast<std::size_t>(list[prefix.size()])] = false;
  }
  if (chain_receiver(sums, i, row) >= 0) without[static_cast<std::size_t>(row.next)] = false;
  for (const auto& [other, canonical] : pieces_->twins()) {
    without[static_cast<std::size_t>(other)] = without[static_cast<std::size_t>(canonical)];
  }
  return without;
}

// A token of the text that the teacher spells with several has the product of their probabilities.
void VocabularyProjection::move_chain(Sums& sums, std::int64_t i,
                                      const text::AlignedRow& row) const {
  const std::int32_t from = chain_receiver(sums, i, row);
  if (from < 0) return;
  double product = 1;
  for (std::int32_t token = row.chain_begin; token < row.chain_end; ++token) {
    const auto place = static_cast<std::size_t>(token - 1);
    const bool drawn = token == row.chain_begin || sums.text_log_p.empty();
    product *=
        drawn ? static_cast<double>(sums.text[place - static_cast<std::size_t>(sums.text_begin)])
              : std::exp(static_cast<double>(sums.text_log_p[place]));
  }
  float* q = sums.q.data<float>() + i * sums.q.size(1);
  const float moved = std::min(static_cast<float>(product), q[from]);
  q[from] -= moved;
  q[row.next] += moved;
}

// From sums of probabilities to T log q', with the student's logits z; whether there is any.
bool VocabularyProjection::to_logits(Sums& sums, std::int64_t i, const text::AlignedRow& row,
                                     const float* z) const {
  const std::int64_t V = sums.q.size(1);
  const float T = temperature_;
  const double total = sums.total[static_cast<std::size_t>(i)];
  float* q = sums.q.data<float>() + i * V;
  for (std::int64_t s = 0; s < V; ++s) q[s] *= static_cast<float>(1 / total);
  for (const auto& [other, canonical] : pieces_->twins()) {
    if (!(q[canonical] > 0)) continue;
    const float share = 1 / (1 + std::exp((z[canonical] - z[other]) / T));
    q[other] = q[canonical] * share;
    q[canonical] *= 1 - share;
  }
  const double rest = sums.rest[static_cast<std::size_t>(i)] / total;
  std::vector<bool> in_rest;
  float shift = 0;
  if (rest > 0) {
    in_rest = without_continuation(sums, i, row);
    if (rest >= 1 && std::ranges::find(in_rest, true) == in_rest.end()) return false;
    shift = T * static_cast<float>(std::log(rest) - log_sum(z, in_rest, T));
  }
  kernels::log(q, q, V);
  for (std::int64_t s = 0; s < V; ++s) {
    q[s] = rest > 0 && in_rest[static_cast<std::size_t>(s)] ? z[s] + shift : T * q[s];
  }
  return true;
}

// Of rows without a teacher, all is 0.
VocabularyProjection::Sums VocabularyProjection::sum_up(std::int64_t entries,
                                                        std::span<const text::AlignedRow> rows,
                                                        std::span<const std::int32_t> student_ids,
                                                        std::int64_t first_row,
                                                        const TeacherReading& teacher) const {
  const auto [begin, end] = needed(rows);
  Sums sums{.q = Tensor::zeros({std::ssize(rows), entries}),
            .total = std::vector<double>(rows.size()),
            .rest = std::vector<double>(rows.size()),
            .text = std::vector<float>(static_cast<std::size_t>(end - begin)),
            .text_begin = begin,
            .text_log_p = teacher.text,
            .ids = student_ids,
            .first_row = first_row,
            .teacher_ids = teacher.ids};
  for (std::int64_t at = begin; at < end; at += kTeacherRows) {
    const std::int64_t last = std::min(at + kTeacherRows, end);
    add_block(sums, rows, teacher.logits(at, last).to(Dtype::F32).contiguous(), at);
  }
  parallel_for(std::ssize(rows), 1, [&](std::int64_t low, std::int64_t high) {
    for (std::int64_t i = low; i < high; ++i) {
      const auto index = static_cast<std::size_t>(i);
      if (rows[index].teacher_row < 0 || !(sums.total[index] > kNegligibleProbability)) {
        sums.total[index] = 0;
      } else {
        move_chain(sums, i, rows[index]);
      }
    }
  });
  return sums;
}

Tensor VocabularyProjection::targets(const Tensor& student, std::span<const text::AlignedRow> rows,
                                     std::span<const std::int32_t> student_ids,
                                     std::int64_t first_row, const TeacherReading& teacher) const {
  const std::int64_t n = student.size(0), V = student.size(1);
  Sums sums = sum_up(V, rows, student_ids, first_row, teacher);
  parallel_for(n, 1, [&](std::int64_t low, std::int64_t high) {
    for (std::int64_t i = low; i < high; ++i) {
      const float* z = student.data<float>() + i * V;
      const auto index = static_cast<std::size_t>(i);
      const bool compared = sums.total[index] > 0 && to_logits(sums, i, rows[index], z);
      if (!compared) std::copy_n(z, V, sums.q.data<float>() + i * V);
    }
  });
  return sums.q;
}

void VocabularyProjection::visit(
    std::int64_t entries, std::span<const text::AlignedRow> rows,
    std::span<const std::int32_t> student_ids, std::int64_t first_row,
    const TeacherReading& teacher,
    const std::function<void(std::size_t i, const ProjectedRow&)>& visit) const {
  const Sums sums = sum_up(entries, rows, student_ids, first_row, teacher);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!(sums.total[i] > 0)) continue;
    const float* q = sums.q.data<float>() + static_cast<std::int64_t>(i) * entries;
    visit(i, {{q, static_cast<std::size_t>(entries)}, sums.total[i], sums.rest[i]});
  }
}

}  // namespace gladius::train
