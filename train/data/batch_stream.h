// The micro-batches of a run.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "gladius/train/data/batch.h"
#include "gladius/train/data/data_order.h"
#include "gladius/train/data/dataset.h"

namespace gladius::train {

struct BatchOptions {
  std::int64_t batch_size = 1;
  bool packing = false;
  std::int64_t max_seq_len = 512;  // of a pack
  bool shuffle = false;
  std::uint64_t seed = 0;
};

/// Tokens of the largest batch there can be: exact where all examples are held in memory, else what
/// max_seq_len allows.
std::int64_t largest_batch(const Dataset& data, const BatchOptions& options);

/// Takes examples in DataOrder's order, bad lines skipped. A batch is the next `batch_size`
/// examples; with packing the next `batch_size` packs, each of which takes the following examples
/// as long as they fit into max_seq_len together and the epoch lasts. No token sees another example
/// either way. The place is all there is to save. For one thread at a time.
class BatchStream {
 public:
  struct Place {
    std::int64_t position = 0;  // examples (and bad lines) behind it, over all epochs
    std::int64_t skipped = 0;   // bad lines among those of the first epoch: each counts once
    DataCounts read;            // the others of the first epoch
  };

  /// Error if the data has no examples.
  BatchStream(Dataset data, const BatchOptions& options);

  /// FormatError for a bad line, or if all are.
  Batch next();
  /// The next `count` batches, in order, which next() will give, as the caller has changed them;
  /// they stay in memory until then. Errors as of next().
  std::vector<Batch*> look_ahead(std::int64_t count);

  /// Lines of the data, bad ones included.
  std::int64_t examples() const { return data_.size(); }
  /// Behind the last batch that next() gave.
  const Place& place() const { return place_; }
  std::int64_t position() const { return place_.position; }
  std::int64_t skipped() const { return place_.skipped; }
  void seek(const Place& place);

 private:
  using ExamplePtr = std::shared_ptr<const Example>;
  struct Ahead {
    Batch batch;
    Place place;  // behind it
  };

  Batch read();
  const ExamplePtr& peek();
  ExamplePtr take();
  void take_pack(std::vector<ExamplePtr>& chosen);

  Dataset data_;
  BatchOptions options_;
  DataOrder order_;
  Place place_;
  std::deque<Ahead> ahead_;  // batches that were read and not given
  Place reached_;            // behind them
  ExamplePtr next_;          // at reached_, if it was looked at
};

}  // namespace gladius::train
