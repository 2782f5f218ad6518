// Sums over ranks whose bits depend on the values and the number of ranks alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gladius/train/cluster/communicator.h"

namespace gladius::cluster {

/// Elements begin .. end - 1 of something.
struct Share {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

/// Rank `rank`'s part of `n` elements, which are divided as evenly as can be.
Share share_of(std::int64_t n, int rank, int size);

/// The reduce-scatter: afterwards share_of(values, own rank) holds the sums over the ranks, added
/// in the ranks' order from 0 on, and the other elements are as before. Each rank sends the others
/// their shares directly: (N - 1) / N of the values go out of each rank, and as many come in.
/// MPI's own reductions leave the order of the additions open.
void reduce_scatter(Communicator& ranks, std::span<float> values);
/// All get every rank's share of the values from that rank; as many bytes again.
void all_gather(Communicator& ranks, std::span<float> values);
/// Both: 2 (N - 1) / N of the values out of and into each rank, as with a ring.
void all_reduce(Communicator& ranks, std::span<float> values);

/// Both with half the bytes: values travel as bfloat16. What rounding takes off a value is kept in
/// `residual` (as long as `values`, zero at first) and added to the next one that is sent in its
/// place, so that in the long run nothing is lost (error feedback, arXiv:1901.09847). The sum of a
/// rank's own share has its own values unrounded; what it then passes on is rounded for itself,
/// too, so that all have the same.
void reduce_scatter_compressed(Communicator& ranks, std::span<float> values,
                               std::span<float> residual);
void all_gather_compressed(Communicator& ranks, std::span<float> values, std::span<float> residual);

/// All get rank 0's bytes: it sends each rank a share, and these pass them on.
void broadcast(Communicator& ranks, std::span<std::byte> bytes);

/// For a few numbers, which go through rank 0: sums in the ranks' order.
std::vector<double> sum_of(Communicator& ranks, std::vector<double> values);

}  // namespace gladius::cluster
