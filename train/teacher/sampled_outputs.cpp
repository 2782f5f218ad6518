#include "gladius/train/teacher/sampled_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/tensor/kernels/softmax.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/random.h"

namespace gladius::train {
namespace {

constexpr float kNotDrawn = -std::numeric_limits<float>::infinity();
// Stands in place of the draws from logits that are not numbers.
constexpr std::int32_t kNoDistribution = -1;

std::uint64_t key_of(std::uint64_t seed, std::span<const std::int64_t> ids) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(&seed, 1)));
  hash.update(std::as_bytes(ids));
  constexpr std::size_t kDigits = 16;
  return std::stoull(hash.digest().substr(0, kDigits), nullptr, 16);
}

void count_draws(const float* draws, const SamplingOptions& options, float* logits,
                 std::int64_t V) {
  const double draws_of_all = static_cast<double>(options.count);
  if (std::bit_cast<std::int32_t>(draws[0]) == kNoDistribution) {
    std::fill_n(logits, V, std::numeric_limits<float>::quiet_NaN());
    return;
  }
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < options.count; ++i) ids.push_back(cached_entry(draws[i], V));
  for (auto first = ids.begin(); first != ids.end();) {  // equal ones are neighbours
    const std::int32_t id = *first;
    const auto end =
        std::find_if(first, ids.end(), [id](std::int32_t other) { return other != id; });
    logits[id] = static_cast<float>(options.temperature *
                                    std::log(static_cast<double>(end - first) / draws_of_all));
    first = end;
  }
}

}  // namespace

OutputSampler::OutputSampler(const SamplingOptions& options, std::span<const std::int64_t> ids)
    : options_(options), ids_(ids), key_(key_of(options.seed, ids)) {}

// Of [0, 1), a multiple of 2^-53: a block of random bits has two.
double OutputSampler::uniform(std::int64_t row, std::int64_t index) const {
  const auto bits =
      philox4x32({static_cast<std::uint32_t>(index / 2), static_cast<std::uint32_t>(row), 0, 0},
                 {static_cast<std::uint32_t>(key_), static_cast<std::uint32_t>(key_ >> 32U)});
  const auto at = static_cast<std::size_t>(index % 2) * 2;
  const std::uint64_t both = (std::uint64_t{bits[at]} << 32U) | bits[at + 1];
  return std::ldexp(static_cast<double>(both >> 11U), -53);
}

void OutputSampler::draw(const Tensor& logits, std::int64_t begin, const Tensor& out) const {
  const std::int64_t V = logits.size(1), width = out.size(1);
  auto* z = logits.data<float>();
  auto* to = out.data<float>();
  parallel_for(logits.size(0), 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) draw_row(z + i * V, V, begin + i, to + i * width);
  });
}

// By inverting the cumulative distribution, the draws in order.
void OutputSampler::draw_row(float* logits, std::int64_t V, std::int64_t row, float* out) const {
  for (std::int64_t v = 0; v < V; ++v) logits[v] /= static_cast<float>(options_.temperature);
  float log_sum = 0;
  kernels::logsumexp(logits, &log_sum, 1, V);
  const auto next = static_cast<std::size_t>(row) + 1;
  out[0] = next >= ids_.size() ? 0 : ids_[next] < V ? logits[ids_[next]] - log_sum : kNotDrawn;
  float* draws = out + 1;
  if (!std::isfinite(log_sum)) {
    std::fill_n(draws, options_.count, std::bit_cast<float>(kNoDistribution));
    return;
  }
  kernels::softmax(logits, logits, 1, V);
  double total = 0;
  for (std::int64_t v = 0; v < V; ++v) total += static_cast<double>(logits[v]);
  std::vector<double> places;
  const double below = std::nextafter(total, 0);
  for (std::int64_t i = 0; i < options_.count; ++i) {
    places.push_back(std::min(uniform(row, i) * total, below));
  }
  std::ranges::sort(places);
  auto place = places.begin();
  double sum = 0;
  for (std::int64_t v = 0; v < V && place != places.end(); ++v) {
    sum += static_cast<double>(logits[v]);
    for (; place != places.end() && *place < sum; ++place) {
      *draws++ = std::bit_cast<float>(static_cast<std::int32_t>(v));
    }
  }
}

std::int32_t cached_entry(float bits, std::int64_t V) {
  const auto entry = std::bit_cast<std::int32_t>(bits);
  if (entry < 0 || entry >= V) {
    throw FormatError(
        fmt::format("the teacher cache has entry {} of a vocabulary of {}; remove it", entry, V));
  }
  return entry;
}

Tensor logits_of_draws(const Tensor& rows, std::int64_t V, const SamplingOptions& options) {
  Tensor logits = Tensor::full({rows.size(0), V}, kNotDrawn);
  const std::int64_t width = rows.size(1);
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    count_draws(rows.data<float>() + i * width + 1, options, logits.data<float>() + i * V, V);
  }
  return logits;
}

}  // namespace gladius::train
