#include "gladius/train/data/batch_stream.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "gladius/tensor/base/error.h"

namespace gladius::train {

std::int64_t largest_batch(const Dataset& data, const BatchOptions& options) {
  if (!data.in_memory()) return options.batch_size * options.max_seq_len;
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    if (const auto example = data.read(i)) lengths.push_back(std::ssize(example->ids));
  }
  if (lengths.empty()) return 0;
  if (options.packing) {
    const auto all = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
    return options.batch_size * std::min(all, options.max_seq_len);
  }
  std::ranges::sort(lengths, std::greater{});
  std::int64_t tokens = 0;
  for (std::int64_t i = 0; i < options.batch_size; ++i) {  // may reach into the next epoch
    tokens += lengths[static_cast<std::size_t>(i % std::ssize(lengths))];
  }
  return tokens;
}

BatchStream::BatchStream(Dataset data, const BatchOptions& options)
    : data_(std::move(data)),
      options_(options),
      order_(data_.size(), options.shuffle, options.seed) {}

Batch BatchStream::next() {
  look_ahead(1);
  Ahead next = std::move(ahead_.front());
  ahead_.pop_front();
  place_ = next.place;
  return std::move(next.batch);
}

std::vector<Batch*> BatchStream::look_ahead(std::int64_t count) {
  while (std::ssize(ahead_) < count) {
    Batch batch = read();
    ahead_.push_back({std::move(batch), reached_});
  }
  std::vector<Batch*> batches;
  for (std::int64_t i = 0; i < count; ++i) {
    batches.push_back(&ahead_[static_cast<std::size_t>(i)].batch);
  }
  return batches;
}

Batch BatchStream::read() {
  std::vector<ExamplePtr> chosen;
  for (std::int64_t i = 0; i < options_.batch_size; ++i) {
    if (options_.packing) {
      take_pack(chosen);
    } else {
      chosen.push_back(take());
    }
  }
  std::vector<const Example*> examples;
  for (const ExamplePtr& example : chosen) examples.push_back(example.get());
  return pack(examples);
}

void BatchStream::seek(const Place& place) {
  place_ = reached_ = place;
  ahead_.clear();
  next_.reset();
}

// Goes on to the next good example.
const BatchStream::ExamplePtr& BatchStream::peek() {
  for (std::int64_t bad = 0; !next_;) {
    next_ = data_.read(order_.example_at(reached_.position));
    if (next_) break;
    // Two shuffled epochs, one with its good line first and the next with it last, have
    // 2 (size - 1) bad ones between.
    if (++bad > 2 * (data_.size() - 1)) throw FormatError("data: every line is bad");
    if (reached_.position < data_.size()) ++reached_.skipped;
    ++reached_.position;
  }
  return next_;
}

BatchStream::ExamplePtr BatchStream::take() {
  peek();
  if (reached_.position < data_.size()) reached_.read.add(*next_);
  ++reached_.position;
  return std::exchange(next_, nullptr);
}

void BatchStream::take_pack(std::vector<ExamplePtr>& chosen) {
  std::int64_t room = options_.max_seq_len;
  const auto length = [](const ExamplePtr& example) {
    return static_cast<std::int64_t>(example->ids.size());
  };
  room -= length(peek());
  const std::int64_t epoch = reached_.position / data_.size();
  chosen.push_back(take());
  while (length(peek()) <= room && reached_.position / data_.size() == epoch) {
    room -= length(next_);
    chosen.push_back(take());
  }
}

}  // namespace gladius::train
