#include "gladius/train/teacher/text_likelihoods.h"

#include <algorithm>
#include <limits>

#include "gladius/tensor/kernels/softmax.h"
#include "gladius/tensor/parallel.h"

namespace gladius::train {
namespace {

double log_probability(const float* logits, std::int32_t id, float temperature,
                       std::vector<float>& softened) {
  const auto V = std::ssize(softened);
  if (id >= V) return -std::numeric_limits<double>::infinity();
  std::transform(logits, logits + V, softened.begin(), [&](float z) { return z / temperature; });
  float log_sum = 0;
  kernels::logsumexp(softened.data(), &log_sum, 1, V);
  return static_cast<double>(softened[static_cast<std::size_t>(id)]) - static_cast<double>(log_sum);
}

}  // namespace

std::vector<double> text_log_probabilities(const TeacherAnswer& answer,
                                           std::span<const std::int32_t> ids, std::int64_t begin,
                                           std::int64_t end, double temperature) {
  if (!answer.text.empty()) {
    return {answer.text.begin() + (begin - 1), answer.text.begin() + (end - 1)};
  }
  std::vector<double> result(static_cast<std::size_t>(end - begin));
  for (std::int64_t at = begin; at < end; at += kTeacherRows) {
    const std::int64_t count = std::min(kTeacherRows, end - at);
    const Tensor block = answer.logits(at - 1, at - 1 + count).to(Dtype::F32).contiguous();
    const std::int64_t V = block.size(1);
    const float* rows = block.data<float>();
    parallel_for(count, 1, [&](std::int64_t low, std::int64_t high) {
      std::vector<float> softened(static_cast<std::size_t>(V));
      for (std::int64_t i = low; i < high; ++i) {
        result[static_cast<std::size_t>(at - begin + i)] =
            log_probability(rows + i * V, ids[static_cast<std::size_t>(at + i)],
                            static_cast<float>(temperature), softened);
      }
    });
  }
  return result;
}

}  // namespace gladius::train
