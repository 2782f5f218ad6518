// Texts that go through a model together, a token at a time. Private to generate_batch.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "gladius/models/language_model.h"

namespace gladius {

/// The keys and values of a row end where those of the others end, so that a pass appends to all of
/// them at one place: the shorter a text, the later it begins. Rows come and go at any time.
class SequenceBatch {
 public:
  /// `model` must outlive it.
  SequenceBatch(const LanguageModel& model, std::int64_t rows) : model_(model), room_(rows) {}

  std::int64_t size() const { return std::ssize(lengths_); }
  /// Adds a row for the first `length` tokens of a cache of one text.
  void add(const KvCache& text, std::int64_t length);
  /// The last row takes the place of this one.
  void remove(std::int64_t row);
  /// Feeds a token to each row -> F32 logits [rows, V]. Without gradients.
  Tensor next_logits(const std::vector<std::int32_t>& ids);

 private:
  std::int64_t longest() const;
  void lay_out(std::int64_t end);
  KvCache rows_in_use() const;

  const LanguageModel& model_;
  std::int64_t room_;
  KvCache cache_;                      // [room, capacity, Hkv, D] a layer
  std::int64_t end_ = 0;               // of all rows in it
  std::vector<std::int64_t> lengths_;  // of the rows
};

}  // namespace gladius
