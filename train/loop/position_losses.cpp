#include "gladius/train/loop/position_losses.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

#include "gladius/models/rope_scaling.h"
#include "gladius/train/run/json_object.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kFirstBucket = 64;

Json interval_of(const std::optional<TextMean>& mean) {
  if (!mean || !mean->half_interval) return nullptr;
  return {mean->value - *mean->half_interval, mean->value + *mean->half_interval};
}

}  // namespace

ReachBounds ReachBounds::of(const RopeParameters& rope) {
  const bool before = rope.type == "yarn" || rope.type == "llama3";
  const std::int64_t trained =
      before ? std::min(rope.original_max_position_embeddings, context_length(rope))
             : rope.max_position_embeddings;
  return {.trained = trained, .extended = context_length(rope)};
}

Reach ReachBounds::at(std::int64_t position) const {
  if (position < trained) return Reach::trained;
  return position < extended ? Reach::extended : Reach::beyond;
}

Json PositionBucket::to_json() const {
  const auto bits = bits_per_byte ? std::optional(bits_per_byte->value) : std::nullopt;
  return {{"from", from},
          {"to", to},
          {"reach", name_of(reach)},
          {"texts", texts},
          {"tokens", tokens},
          {"cross_entropy", cross_entropy.value},
          {"cross_entropy_interval", interval_of(cross_entropy)},
          {"bytes", number_or_null(bytes)},
          {"bits_per_byte", number_or_null(bits)},
          {"bits_per_byte_interval", interval_of(bits_per_byte)}};
}

PositionLosses::PositionLosses(const ReachBounds& bounds, std::int64_t length, bool has_bytes)
    : bounds_(bounds), has_bytes_(has_bytes) {
  std::set<std::int64_t> ends{length};
  for (std::int64_t end = kFirstBucket; end < length; end *= 2) ends.insert(end);
  for (const std::int64_t end : {bounds.trained, bounds.extended}) {
    if (end > 0 && end < length) ends.insert(end);
  }
  std::int64_t from = 0;
  for (const std::int64_t end : ends) {
    Bucket& bucket = buckets_.emplace_back();
    bucket.from = from;
    bucket.to = from = end;
  }
}

void PositionLosses::add(const Example& example, std::span<const float> losses,
                         std::span<const std::int64_t> bytes) {
  const auto length = std::ssize(example.labels);
  for (Bucket& bucket : buckets_) {
    if (bucket.from >= length) return;
    double nats = 0;
    std::int64_t tokens = 0, size = 0;
    for (std::int64_t i = bucket.from; i < std::min(bucket.to, length); ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (example.labels[at] == kNoLabel) continue;
      ++tokens;
      nats += static_cast<double>(losses[at]);
      if (has_bytes_) size += bytes[at];
    }
    if (tokens == 0) continue;
    bucket.tokens += tokens;
    bucket.bytes += size;
    bucket.by_token.add(nats, static_cast<double>(tokens));
    bucket.by_byte.add(nats / std::numbers::ln2, static_cast<double>(size));
  }
}

std::vector<PositionBucket> PositionLosses::buckets() const {
  std::vector<PositionBucket> result;
  for (const Bucket& bucket : buckets_) {
    if (bucket.tokens == 0) continue;
    PositionBucket& out = result.emplace_back();
    out.from = bucket.from;
    out.to = bucket.to;
    out.reach = bounds_.at(bucket.from);
    out.texts = bucket.by_token.texts;
    out.tokens = bucket.tokens;
    out.cross_entropy = bucket.by_token.mean();
    if (!has_bytes_) continue;
    out.bytes = bucket.bytes;
    if (bucket.bytes > 0) out.bits_per_byte = bucket.by_byte.mean();
  }
  return result;
}

void PositionLosses::Sums::add(double loss, double weight) {
  ++texts;
  x += loss;
  y += weight;
  xx += loss * loss;
  xy += loss * weight;
  yy += weight * weight;
}

// The ratio of two sums, with the error by linearization (Cochran 1977, Sampling Techniques, 6.4).
TextMean PositionLosses::Sums::mean() const {
  const double ratio = x / y;
  if (texts < 2) return {.value = ratio, .half_interval = {}};
  const auto n = static_cast<double>(texts);
  const double residuals = std::max(0.0, xx - 2 * ratio * xy + ratio * ratio * yy);
  const double error = std::sqrt(n / (n - 1) * residuals) / y;
  return {.value = ratio, .half_interval = student_t(texts - 1) * error};
}

// Abramowitz & Stegun 26.7.5, which is off by 10% and 1% for the first two.
double student_t(std::int64_t freedom) {
  if (freedom == 1) return 12.706;
  if (freedom == 2) return 4.303;
  const double z = 1.959963984540054, z2 = z * z, n = static_cast<double>(freedom);
  const double first = z * (z2 + 1) / 4;
  const double second = z * ((5 * z2 + 16) * z2 + 3) / 96;
  const double third = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  return z + first / n + second / (n * n) + third / (n * n * n);
}

}  // namespace gladius::train
