#include "gladius/train/teacher/cached_teacher.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/parallel.h"

namespace gladius::train {
namespace {

constexpr float kInfiniteLogit = std::numeric_limits<float>::infinity();

// Ids lie beside logits, bit for bit.
static_assert(sizeof(float) == sizeof(std::int32_t));

// The examples of a batch, each as a batch of its own; positions begin anew in each.
std::vector<Batch> examples_of(const Batch& batch) {
  std::vector<Batch> examples;
  std::int64_t begin = 0;
  for (const std::int64_t length : batch.lengths()) {
    examples.push_back({.ids = batch.ids.narrow(1, begin, length).contiguous(),
                        .labels = batch.labels.narrow(0, begin, length),
                        .context = packed_context({length}),
                        .sequences = 1});
    if (!batch.prompts.empty()) examples.back().prompts = {batch.prompts.at(examples.size() - 1)};
    begin += length;
  }
  return examples;
}

// The k largest of the logits [V] and their places, the larger first and of equals the first.
// NaN counts as the largest, so that it is not lost.
void largest(const float* logits, std::int64_t V, std::int64_t k, float* values, float* places) {
  const auto rank = [&](std::int32_t i) {
    return std::isnan(logits[i]) ? kInfiniteLogit : logits[i];
  };
  std::vector<std::int32_t> ids(static_cast<std::size_t>(V));
  std::iota(ids.begin(), ids.end(), 0);
  std::partial_sort(ids.begin(), ids.begin() + k, ids.end(), [&](std::int32_t a, std::int32_t b) {
    return rank(a) != rank(b) ? rank(a) > rank(b) : a < b;
  });
  for (std::int64_t i = 0; i < k; ++i) {
    const std::int32_t id = ids[static_cast<std::size_t>(i)];
    values[i] = logits[id];
    places[i] = std::bit_cast<float>(id);
  }
}

}  // namespace

CachedTeacher::CachedTeacher(const Teacher& teacher, const OutputLimit& limit,
                             std::unique_ptr<TeacherCache> cache)
    : teacher_(teacher),
      k_(std::min(limit.top_k.value_or(0), teacher.vocabulary())),
      samples_(limit.samples),
      cache_(std::move(cache)) {}

TeacherAnswer CachedTeacher::answer(const Batch& batch) {
  Tensor outputs = Tensor::empty({batch.tokens(), width()});
  std::int64_t begin = 0;
  for (const Batch& example : examples_of(batch)) {
    Tensor place = outputs.narrow(0, begin, example.tokens());
    const auto ids = example.ids.to_vector<std::int64_t>();
    TeacherCache* const cache = example.has_own_answers() ? nullptr : cache_.get();
    if (!cache || !cache->read(ids, place)) {
      place.copy_(output(example));
      if (cache) cache->write(ids, place);
    }
    begin += example.tokens();
  }
  const LogitRows logits = [this, outputs](std::int64_t first, std::int64_t last) {
    return rows(outputs.narrow(0, first, last - first));
  };
  if (!samples_) return logits;
  return {logits, outputs.select(1, 0).to_vector<float>()};
}

// Numbers a token.
std::int64_t CachedTeacher::width() const {
  if (samples_) return OutputSampler::width(*samples_);
  return k_ == 0 ? teacher_.hidden_size() : 2 * k_;
}

Tensor CachedTeacher::output(const Batch& example) const {
  const Tensor hidden = teacher_.hidden_states(example);
  if (samples_) return draws_of(hidden, example);
  return k_ == 0 ? hidden : top_k_of(hidden);
}

// [T, hidden_size] -> [T, width()]; fill(logits, begin, output) does rows [begin, ...).
template <class Fill>
Tensor CachedTeacher::by_blocks(const Tensor& hidden, const Fill& fill) const {
  const std::int64_t T = hidden.size(0);
  Tensor output = Tensor::empty({T, width()});
  for (std::int64_t begin = 0, count = 0; begin < T; begin += count) {
    count = std::min(kTeacherRows, T - begin);
    fill(teacher_.head(hidden.narrow(0, begin, count)).to(Dtype::F32).contiguous(), begin,
         output.narrow(0, begin, count));
  }
  return output;
}

Tensor CachedTeacher::draws_of(const Tensor& hidden, const Batch& example) const {
  const auto ids = example.ids.to_vector<std::int64_t>();
  const OutputSampler sampler(*samples_, ids);
  return by_blocks(hidden, [&](const Tensor& logits, std::int64_t begin, const Tensor& output) {
    sampler.draw(logits, begin, output);
  });
}

// The logits and then their places.
Tensor CachedTeacher::top_k_of(const Tensor& hidden) const {
  const std::int64_t V = teacher_.vocabulary();
  return by_blocks(hidden, [&](const Tensor& logits, std::int64_t, const Tensor& output) {
    float* to = output.data<float>();
    parallel_for(logits.size(0), 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t t = first; t < last; ++t) {
        float* values = to + t * width();
        largest(logits.data<float>() + t * V, V, k_, values, values + k_);
      }
    });
  });
}

// The logits of some tokens' outputs.
Tensor CachedTeacher::rows(const Tensor& output) const {
  const std::int64_t T = output.size(0), V = teacher_.vocabulary();
  if (samples_) return logits_of_draws(output, V, *samples_);
  if (k_ == 0) return teacher_.head(output);
  Tensor logits = Tensor::full({T, V}, -kInfiniteLogit);
  for (std::int64_t t = 0; t < T; ++t) {
    const float* values = output.data<float>() + t * width();
    float* row = logits.data<float>() + t * V;
    for (std::int64_t i = 0; i < k_; ++i) {
      row[cached_entry(values[k_ + i], V)] = values[i];
    }
  }
  return logits;
}

}  // namespace gladius::train
