// How well a model predicts by how much of the text it has read.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gladius/models/rope_parameters.h"
#include "gladius/tensor/base/enum_names.h"
#include "gladius/train/data/example.h"

namespace gladius::train {

/// What a model was made for at a position.
enum class Reach {
  trained,   // its training had it, before any scaling of the rotary embedding
  extended,  // the scaling is to reach it
  beyond,    // nothing is
};

/// The first position that is no longer trained, and the first that is beyond. Where nothing
/// extends them, both are max_position_embeddings.
struct ReachBounds {
  std::int64_t trained, extended;

  static ReachBounds of(const RopeParameters& rope);
  Reach at(std::int64_t position) const;
};

/// A mean over the tokens (or bytes) of several texts.
struct TextMean {
  double value = 0;
  /// Half of the 95% interval: Student's t with the texts' differences as the error (those of
  /// tokens of one text are not independent). Nothing for one text.
  std::optional<double> half_interval;
};

/// Positions [from, to) of all texts: position i has i tokens before it, and the label there is the
/// token that follows it.
struct PositionBucket {
  std::int64_t from = 0, to = 0;
  Reach reach = Reach::trained;
  std::int64_t texts = 0, tokens = 0;  // that have a label here
  TextMean cross_entropy;              // nats a token
  std::optional<std::int64_t> bytes;   // nothing without a tokenizer
  std::optional<TextMean> bits_per_byte;

  nlohmann::ordered_json to_json() const;
};

/// Sums losses by position.
class PositionLosses {
 public:
  /// Buckets up to `length`: 64 positions, and then twice as many each; a bucket ends where the
  /// reach does.
  PositionLosses(const ReachBounds& bounds, std::int64_t length, bool has_bytes);

  /// The losses of a text in nats, and the bytes of its labels (empty without a tokenizer).
  void add(const Example& example, std::span<const float> losses,
           std::span<const std::int64_t> bytes);
  /// Those with tokens, in order.
  std::vector<PositionBucket> buckets() const;

 private:
  // Of losses and of what they are divided by, over texts.
  struct Sums {
    std::int64_t texts = 0;
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;

    void add(double loss, double weight);
    TextMean mean() const;
  };
  struct Bucket {
    std::int64_t from = 0, to = 0;
    std::int64_t tokens = 0, bytes = 0;
    Sums by_token, by_byte;
  };

  ReachBounds bounds_;
  bool has_bytes_;
  std::vector<Bucket> buckets_;
};

/// The t with 97.5% of Student's distribution below it; `freedom` is 1 or more. To 1%.
double student_t(std::int64_t freedom);

}  // namespace gladius::train

namespace gladius {

template <>
inline constexpr EnumName<train::Reach> kEnumNames<train::Reach>[] = {
    {train::Reach::trained, "trained"},
    {train::Reach::extended, "extended"},
    {train::Reach::beyond, "beyond"}};

}  // namespace gladius
