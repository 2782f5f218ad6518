#include "gladius/train/cluster/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "gladius/tensor/base/error.h"

namespace gladius::cluster {
namespace {

constexpr std::size_t kLongestLine = 1 << 16;

// Whether something can be read from it, or written to it, within `seconds`.
bool ready_within(int descriptor, short events, double seconds) {
  pollfd wanted{descriptor, events, 0};
  return ::poll(&wanted, 1, static_cast<int>(seconds * 1000)) == 1;
}

void send_at_once(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

bool LineSocket::send(std::string_view line) {
  std::string text(line);
  text += '\n';
  const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent >= 0 || errno == EAGAIN || errno == EINTR;
}

bool LineSocket::receive(std::vector<std::string>& lines) {
  bool open = true;
  while (open) {
    std::array<char, 4096> buffer;
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    open = count > 0;
    if (open) rest_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  std::size_t begin = 0;
  for (std::size_t end; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(rest_.substr(begin, end - begin));
  }
  rest_.erase(0, begin);
  return open && rest_.size() < kLongestLine;
}

Listener listen_anywhere() {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  constexpr int kWaiting = 4096;
  if (socket.get() < 0 || ::bind(socket.get(), any, size) != 0 ||
      ::listen(socket.get(), kWaiting) != 0 || ::getsockname(socket.get(), any, &size) != 0) {
    throw_io_error("listen on", "a TCP port");
  }
  return {std::move(socket), ntohs(address.sin_port)};
}

std::optional<LineSocket> accept_within(const Listener& listener, double seconds) {
  if (!ready_within(listener.socket.get(), POLLIN, seconds)) return {};
  FileDescriptor socket(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (socket.get() < 0) return {};
  send_at_once(socket.get());
  return LineSocket(std::move(socket));
}

std::optional<LineSocket> connect_within(const std::string& address, std::uint16_t port,
                                         double seconds) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1) return {};
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return {};
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
    int error = errno;
    socklen_t size = sizeof error;
    if (error != EINPROGRESS || !ready_within(socket.get(), POLLOUT, seconds)) return {};
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return {};
  }
  send_at_once(socket.get());
  return LineSocket(std::move(socket));
}

std::vector<std::string> own_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    const bool usable = one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET &&
                        (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_LOOPBACK) == 0;
    if (!usable) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr) {
      addresses.emplace_back(text.data());
    }
  }
  ::freeifaddrs(list);
  return addresses;
}

}  // namespace gladius::cluster
