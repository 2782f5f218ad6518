#include "gladius/train/cluster/ordered_sum.h"

#include <algorithm>

namespace gladius::cluster {
namespace {

template <class T>
std::span<T> part(std::span<T> values, int rank, int size) {
  const Share share = share_of(std::ssize(values), rank, size);
  return values.subspan(static_cast<std::size_t>(share.begin),
                        static_cast<std::size_t>(share.size()));
}

template <class T>
void gather_parts(Communicator& ranks, std::span<T> values) {
  const int size = ranks.size();
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (int rank = 0; rank < size; ++rank) {
    if (rank == ranks.rank()) continue;
    out.push_back({rank, std::as_bytes(part(values, ranks.rank(), size))});
    in.push_back({rank, std::as_writable_bytes(part(values, rank, size))});
  }
  ranks.exchange(out, in);
}

}  // namespace

Share share_of(std::int64_t n, int rank, int size) {
  const std::int64_t least = n / size, rest = n % size;
  const std::int64_t begin = rank * least + std::min<std::int64_t>(rank, rest);
  return {begin, begin + least + (rank < rest ? 1 : 0)};
}

void reduce_scatter(Communicator& ranks, std::span<float> values) {
  const int size = ranks.size(), me = ranks.rank();
  if (size == 1) return;
  const std::span<float> own = part(values, me, size);
  std::vector<std::vector<float>> parts(static_cast<std::size_t>(size));
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (int rank = 0; rank < size; ++rank) {
    if (rank == me) continue;
    auto& theirs = parts[static_cast<std::size_t>(rank)];
    theirs.resize(own.size());
    out.push_back({rank, std::as_bytes(part(values, rank, size))});
    in.push_back({rank, std::as_writable_bytes(std::span(theirs))});
  }
  ranks.exchange(out, in);
  // Sums of the ranks before this one, then its own, then the others'.
  const auto add = [&](std::span<const float> summand, std::span<float> sum) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += summand[i];
  };
  if (me > 0) {
    std::vector<float>& sum = parts[0];
    for (int rank = 1; rank < me; ++rank) add(parts[static_cast<std::size_t>(rank)], sum);
    add(own, sum);
    std::ranges::copy(sum, own.begin());
  }
  for (int rank = me + 1; rank < size; ++rank) add(parts[static_cast<std::size_t>(rank)], own);
}

void all_gather(Communicator& ranks, std::span<float> values) {
  if (ranks.size() > 1) gather_parts(ranks, values);
}

void all_reduce(Communicator& ranks, std::span<float> values) {
  reduce_scatter(ranks, values);
  all_gather(ranks, values);
}

void broadcast(Communicator& ranks, std::span<std::byte> bytes) {
  const int size = ranks.size();
  if (size == 1) return;
  if (ranks.rank() == 0) {
    std::vector<Outgoing> out;
    for (int rank = 1; rank < size; ++rank) out.push_back({rank, part(bytes, rank, size)});
    ranks.exchange(out, {});
  } else {
    ranks.receive(0, part(bytes, ranks.rank(), size));
  }
  gather_parts(ranks, bytes);
}

std::vector<double> sum_of(Communicator& ranks, std::vector<double> values) {
  if (ranks.size() == 1) return values;
  if (ranks.rank() != 0) {
    ranks.send(0, std::as_bytes(std::span(values)));
    ranks.receive(0, std::as_writable_bytes(std::span(values)));
    return values;
  }
  std::vector<double> theirs(values.size());
  for (int rank = 1; rank < ranks.size(); ++rank) {
    ranks.receive(rank, std::as_writable_bytes(std::span(theirs)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += theirs[i];
  }
  for (int rank = 1; rank < ranks.size(); ++rank) {
    ranks.send(rank, std::as_bytes(std::span(values)));
  }
  return values;
}

}  // namespace gladius::cluster
