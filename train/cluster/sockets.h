// TCP connections between ranks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/tensor/base/file_descriptor.h"

namespace gladius::cluster {

/// A connection for lines of text, which does not wait for the other side.
class LineSocket {
 public:
  explicit LineSocket(FileDescriptor socket) : socket_(std::move(socket)) {}

  int descriptor() const { return socket_.get(); }
  /// False if the connection is gone; what does not fit into the system's buffers is lost.
  bool send(std::string_view line);
  /// The whole lines that have come; false if the connection has ended behind them.
  bool receive(std::vector<std::string>& lines);

 private:
  FileDescriptor socket_;
  std::string rest_;
};

/// A port that waits for connections.
struct Listener {
  FileDescriptor socket;
  std::uint16_t port = 0;
};

/// On all IPv4 addresses. IoError.
Listener listen_anywhere();
/// A connection that has come within `seconds`.
std::optional<LineSocket> accept_within(const Listener& listener, double seconds);
/// Nothing if it cannot be made within `seconds`.
std::optional<LineSocket> connect_within(const std::string& address, std::uint16_t port,
                                         double seconds);
/// This machine's IPv4 addresses, but for the loopback.
std::vector<std::string> own_addresses();

}  // namespace gladius::cluster
