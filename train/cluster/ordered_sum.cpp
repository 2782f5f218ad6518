#include "gladius/train/cluster/ordered_sum.h"

#include <algorithm>
#include <cmath>

#include "gladius/tensor/half.h"

namespace gladius::cluster {
namespace {

template <class T>
std::span<T> part(std::span<T> values, int rank, int size) {
  const Share share = share_of(std::ssize(values), rank, size);
  return values.subspan(static_cast<std::size_t>(share.begin),
                        static_cast<std::size_t>(share.size()));
}

// Sums of the parts of the ranks before this one, then its own, then the others'.
void add_in_order(std::span<float> own, std::vector<std::vector<float>>& parts, int me) {
  const auto add = [&](std::span<const float> summand, std::span<float> sum) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += summand[i];
  };
  if (me > 0) {
    std::vector<float>& sum = parts[0];
    for (int rank = 1; rank < me; ++rank) add(parts[static_cast<std::size_t>(rank)], sum);
    add(own, sum);
    std::ranges::copy(sum, own.begin());
  }
  for (std::size_t rank = static_cast<std::size_t>(me) + 1; rank < parts.size(); ++rank) {
    add(parts[rank], own);
  }
}

// Values with what is left of earlier ones, which becomes what is left of these.
std::vector<bfloat16> rounded(std::span<const float> values, std::span<float> residual) {
  std::vector<bfloat16> out(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float wanted = values[i] + residual[i];
    out[i] = bfloat16(wanted);
    const float rest = wanted - static_cast<float>(out[i]);
    residual[i] = std::isfinite(rest) ? rest : 0;
  }
  return out;
}

std::vector<float> as_floats(const std::vector<bfloat16>& values) {
  std::vector<float> out(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<float>(values[i]);
  return out;
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
  add_in_order(own, parts, me);
}

void reduce_scatter_compressed(Communicator& ranks, std::span<float> values,
                               std::span<float> residual) {
  const int size = ranks.size(), me = ranks.rank();
  if (size == 1) return;
  const std::span<float> own = part(values, me, size);
  std::vector<std::vector<bfloat16>> sent(static_cast<std::size_t>(size)), got(sent.size());
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (int rank = 0; rank < size; ++rank) {
    if (rank == me) continue;
    const auto index = static_cast<std::size_t>(rank);
    sent[index] = rounded(part(values, rank, size), part(residual, rank, size));
    got[index].resize(own.size());
    out.push_back({rank, std::as_bytes(std::span(sent[index]))});
    in.push_back({rank, std::as_writable_bytes(std::span(got[index]))});
  }
  ranks.exchange(out, in);
  std::vector<std::vector<float>> parts;
  for (const auto& theirs : got) parts.push_back(as_floats(theirs));
  add_in_order(own, parts, me);
}

void all_gather_compressed(Communicator& ranks, std::span<float> values,
                           std::span<float> residual) {
  const int size = ranks.size(), me = ranks.rank();
  if (size == 1) return;
  const std::vector<bfloat16> own = rounded(part(values, me, size), part(residual, me, size));
  std::vector<std::vector<bfloat16>> got(static_cast<std::size_t>(size));
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (int rank = 0; rank < size; ++rank) {
    auto& theirs = got[static_cast<std::size_t>(rank)];
    theirs = own;
    if (rank == me) continue;
    theirs.resize(part(values, rank, size).size());
    out.push_back({rank, std::as_bytes(std::span(own))});
    in.push_back({rank, std::as_writable_bytes(std::span(theirs))});
  }
  ranks.exchange(out, in);
  for (int rank = 0; rank < size; ++rank) {
    std::ranges::copy(as_floats(got[static_cast<std::size_t>(rank)]),
                      part(values, rank, size).begin());
  }
}

void all_gather(Communicator& ranks, std::span<float> values) {
  const int size = ranks.size(), me = ranks.rank();
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (int rank = 0; rank < size; ++rank) {
    if (rank == me) continue;
    out.push_back({rank, std::as_bytes(part(values, me, size))});
    in.push_back({rank, std::as_writable_bytes(part(values, rank, size))});
  }
  ranks.exchange(out, in);
}

void all_reduce(Communicator& ranks, std::span<float> values) {
  reduce_scatter(ranks, values);
  all_gather(ranks, values);
}

void broadcast(Communicator& ranks, std::span<std::byte> bytes) {
  const int size = ranks.size(), me = ranks.rank();
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  if (me == 0) {  // whose bytes are only read
    for (int rank = 1; rank < size; ++rank) {
      out.push_back({rank, part(bytes, rank, size)});
      out.push_back({rank, part(bytes, 0, size)});
    }
    ranks.exchange(out, {});
    return;
  }
  in = {{0, part(bytes, me, size)}, {0, part(bytes, 0, size)}};
  ranks.exchange({}, in);
  in.clear();
  for (int rank = 1; rank < size; ++rank) {
    if (rank == me) continue;
    out.push_back({rank, part(bytes, me, size)});
    in.push_back({rank, part(bytes, rank, size)});
  }
  ranks.exchange(out, in);
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
