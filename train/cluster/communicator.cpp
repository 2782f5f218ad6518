#include "gladius/train/cluster/communicator.h"

#include <fmt/format.h>

#include <cstdint>

namespace gladius::cluster {
namespace {

constexpr std::uint64_t kLongestText = std::uint64_t{1} << 31;

}  // namespace

void Communicator::send(int to, std::span<const std::byte> bytes) {
  const Outgoing out{to, bytes};
  exchange({&out, 1}, {});
}

void Communicator::receive(int from, std::span<std::byte> bytes) {
  const Incoming in{from, bytes};
  exchange({}, {&in, 1});
}

void Communicator::send_text(int to, std::string_view text) {
  const std::uint64_t length = text.size();
  send(to, std::as_bytes(std::span(&length, 1)));
  if (length > 0) send(to, std::as_bytes(std::span(text)));
}

std::string Communicator::receive_text(int from) {
  std::uint64_t length = 0;
  receive(from, std::as_writable_bytes(std::span(&length, 1)));
  if (length > kLongestText) {
    throw ClusterError(fmt::format("rank {} announces a text of {} bytes", from, length));
  }
  std::string text(length, '\0');
  if (length > 0) receive(from, std::as_writable_bytes(std::span(text)));
  return text;
}

void SolitaryCommunicator::exchange(std::span<const Outgoing> out, std::span<const Incoming> in) {
  if (!out.empty() || !in.empty()) throw ClusterError("there is no other rank");
}

std::vector<std::string> gather_texts(Communicator& ranks, std::string_view own) {
  if (ranks.rank() != 0) {
    ranks.send_text(0, own);
    return {};
  }
  std::vector<std::string> texts{std::string(own)};
  for (int rank = 1; rank < ranks.size(); ++rank) texts.push_back(ranks.receive_text(rank));
  return texts;
}

std::string broadcast_text(Communicator& ranks, std::string_view text) {
  if (ranks.rank() != 0) return ranks.receive_text(0);
  for (int rank = 1; rank < ranks.size(); ++rank) ranks.send_text(rank, text);
  return std::string(text);
}

void barrier(Communicator& ranks) {
  gather_texts(ranks, "");
  broadcast_text(ranks, "");
}

}  // namespace gladius::cluster
