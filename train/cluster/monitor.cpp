#include "gladius/train/cluster/monitor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "gladius/train/cluster/sockets.h"

namespace gladius::cluster {
namespace detail {

using Clock = std::chrono::steady_clock;

// Another rank's monitor.
struct Peer {
  int rank;
  std::string host;
  LineSocket socket;
  Clock::time_point heard = Clock::now();
  bool has_left = false;
  bool is_gone = false;
};

}  // namespace detail

namespace {

using detail::Clock;
using detail::Peer;

// Lines between the monitors: the first word says what it is.
constexpr const char *kBeat = "beat", *kLeave = "leave", *kStop = "stop", *kFailure = "failure";
constexpr const char* kNoWord = "its process has ended without a word (killed, or out of memory)";

double seconds_since_point(Clock::time_point point) {
  return std::chrono::duration<double>(Clock::now() - point).count();
}

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

// "WORD REST" -> REST
std::string rest_of(const std::string& line) {
  const std::size_t space = line.find(' ');
  return space == std::string::npos ? "" : line.substr(space + 1);
}

std::string fresh_secret() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

// How the others reach rank 0: its host, a secret, a port, and addresses.
std::string describe_listener(const Listener& listener, const std::string& secret) {
  return fmt::format("{} {} {} {}", host_name(), secret, listener.port,
                     fmt::join(own_addresses(), " "));
}

// "SECRET RANK HOST", what a rank says first.
std::optional<Peer> greet(LineSocket socket, const std::string& secret, int size) {
  std::vector<std::string> lines;
  for (const auto start = Clock::now(); lines.empty() && seconds_since_point(start) < 5;) {
    pollfd wanted{socket.descriptor(), POLLIN, 0};
    if (::poll(&wanted, 1, 100) == 1 && !socket.receive(lines)) break;
  }
  if (lines.empty()) return {};
  std::istringstream words(lines[0]);
  std::string said, host;
  int rank = 0;
  words >> said >> rank >> host;
  if (said != secret || rank < 1 || rank >= size) return {};
  return Peer{rank, host, std::move(socket)};
}

std::vector<Peer> gather_peers(Communicator& ranks, double timeout) {
  const Listener listener = listen_anywhere();
  const std::string secret = fresh_secret();
  broadcast_text(ranks, describe_listener(listener, secret));
  std::vector<Peer> peers;
  std::vector<bool> has_come(static_cast<std::size_t>(ranks.size()));
  const auto start = Clock::now();
  while (std::ssize(peers) < ranks.size() - 1) {
    const double left = timeout - seconds_since_point(start);
    if (left <= 0) {
      const auto missing = std::find(has_come.begin() + 1, has_come.end(), false);
      throw ClusterError(fmt::format(
          "rank {} has not made its connection to rank 0 on {}, port {}, within {:g} s; does a "
          "firewall forbid it?",
          missing - has_come.begin(), host_name(), listener.port, timeout));
    }
    auto socket = accept_within(listener, std::min(left, 0.5));
    if (!socket) continue;
    auto peer = greet(std::move(*socket), secret, ranks.size());
    if (!peer || has_come[static_cast<std::size_t>(peer->rank)]) continue;
    has_come[static_cast<std::size_t>(peer->rank)] = true;
    peers.push_back(std::move(*peer));
  }
  return peers;
}

std::vector<Peer> join_rank_0(Communicator& ranks, double timeout) {
  std::istringstream words(broadcast_text(ranks, ""));
  std::string host, secret;
  std::uint16_t port = 0;
  words >> host >> secret >> port;
  std::vector<std::string> addresses;
  if (host == host_name()) addresses.emplace_back("127.0.0.1");
  for (std::string address; words >> address;) addresses.push_back(address);
  const double each = std::clamp(timeout / static_cast<double>(addresses.size() + 1), 0.5, 5.0);
  for (const std::string& address : addresses) {
    auto socket = connect_within(address, port, each);
    if (!socket) continue;
    socket->send(fmt::format("{} {} {}", secret, ranks.rank(), host_name()));
    std::vector<Peer> peers;
    peers.push_back({0, host, std::move(*socket)});
    return peers;
  }
  throw ClusterError(
      fmt::format("rank {} cannot reach rank 0 on {} at {}, port {}; does a firewall "
                  "forbid it?",
                  ranks.rank(), host, fmt::join(addresses, " or "), port));
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "?";
  return name.data();
}

std::string Failure::describe() const {
  return fmt::format("rank {} on {}: {}", rank, host, cause);
}

class Monitor::Thread {
 public:
  Thread(Communicator& ranks, Options options)
      : rank_(ranks.rank()),
        options_(std::move(options)),
        peers_(rank_ == 0 ? gather_peers(ranks, options_.timeout_s)
                          : join_rank_0(ranks, options_.timeout_s)),
        thread_([this] { run(); }) {}
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    thread_.join();
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  void fail(const std::string& cause) {
    std::unique_lock lock(mutex_);
    if (!own_failure_) own_failure_ = {rank_, host_name(), one_line(cause)};
    if (std::this_thread::get_id() == thread_.get_id()) return;
    changed_.wait(lock, [&] { return handled_ || ends_; });
  }
  void ask_to_stop(const std::string& why) {
    const std::lock_guard lock(mutex_);
    stop_ = one_line(why);
  }
  void check() {
    const std::lock_guard lock(mutex_);
    if (failure_) throw ClusterError(failure_->describe());
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    leaves_ = true;
    for (Peer& peer : peers_) peer.socket.send(kLeave);
  }

 private:
  static constexpr int kTickMs = 100;

  void run() {
    auto last_tick = Clock::now(), last_beat = last_tick;
    for (;;) {
      wait();
      std::optional<Failure> failure;
      std::optional<std::pair<int, std::string>> stop;
      {
        const std::lock_guard lock(mutex_);
        if (ends_) return;
        // A process that was stopped, or a machine that slept, has heard nobody meanwhile.
        if (seconds_since_point(last_tick) > options_.timeout_s / 2) forgive();
        last_tick = Clock::now();
        if (seconds_since_point(last_beat) > std::min(1.0, options_.timeout_s / 4)) {
          for (Peer& peer : peers_) peer.socket.send(kBeat);
          last_beat = Clock::now();
        }
        for (Peer& peer : peers_) listen_to(peer);
        stop = std::exchange(asked_, std::nullopt);
        if (stop_) pass_on_stop(stop);
        if (own_failure_ && !failure_) tell_own_failure();
        if (failure_ && !handled_) failure = failure_;
      }
      if (stop) options_.on_stop(stop->first, stop->second);
      options_.on_tick();
      if (!failure) continue;
      options_.on_failure(*failure);
      const std::lock_guard lock(mutex_);
      handled_ = true;
      changed_.notify_all();
      return;
    }
  }

  void wait() {
    std::vector<pollfd> wanted;
    for (const Peer& peer : peers_) {
      if (!peer.is_gone) wanted.push_back({peer.socket.descriptor(), POLLIN, 0});
    }
    ::poll(wanted.data(), wanted.size(), kTickMs);
  }

  void forgive() {
    for (Peer& peer : peers_) peer.heard = Clock::now();
  }

  void listen_to(Peer& peer) {
    if (peer.is_gone) return;
    std::vector<std::string> lines;
    const bool open = peer.socket.receive(lines);
    for (const std::string& line : lines) handle(peer, line);
    if (!lines.empty()) peer.heard = Clock::now();
    peer.is_gone = !open;
    if (peer.has_left || leaves_) return;
    if (!open) {
      found({peer.rank, peer.host, kNoWord});
    } else if (seconds_since_point(peer.heard) > options_.timeout_s) {
      found({peer.rank, peer.host,
             fmt::format("nothing was heard of it for {:g} s: the machine or the network has "
                         "stopped",
                         options_.timeout_s)});
    }
  }

  void handle(Peer& peer, const std::string& line) {
    if (line.starts_with(kLeave)) peer.has_left = true;
    if (line.starts_with(kStop)) asked_ = {peer.rank, rest_of(line)};
    if (!line.starts_with(kFailure) || failure_) return;
    std::istringstream words(rest_of(line));
    Failure failure;
    words >> failure.rank >> failure.host;
    std::getline(words >> std::ws, failure.cause);
    failure.told = rank_ != 0;  // by rank 0, who passes it on
    settle(std::move(failure));
  }

  // Something that this rank has noticed itself.
  void found(Failure failure) {
    if (failure_) return;
    if (rank_ != 0) {
      if (own_failure_) failure = *own_failure_;       // rank 0 cannot tell it any more
      failure.told = failure.rank == 0 && rank_ != 1;  // one of those that are left
    }
    settle(std::move(failure));
  }

  void settle(Failure failure) {
    failure_ = std::move(failure);
    if (rank_ == 0) {
      for (Peer& peer : peers_) peer.socket.send(as_line(*failure_));
    }
  }

  static std::string as_line(const Failure& failure) {
    return fmt::format("{} {} {} {}", kFailure, failure.rank, failure.host, failure.cause);
  }

  // Rank 0 tells the user; another rank waits for it a while to do so.
  void tell_own_failure() {
    constexpr double kPatience = 3;
    if (rank_ == 0) return settle(*own_failure_);
    if (!told_rank_0_) {
      told_rank_0_ = Clock::now();
      peers_[0].socket.send(as_line(*own_failure_));
    } else if (seconds_since_point(*told_rank_0_) > kPatience) {
      settle(*own_failure_);
    }
  }

  void pass_on_stop(std::optional<std::pair<int, std::string>>& stop) {
    if (rank_ == 0) {
      stop = {0, *stop_};
    } else {
      peers_[0].socket.send(fmt::format("{} {}", kStop, *stop_));
    }
    stop_.reset();
  }

  const int rank_;
  const Options options_;
  std::vector<Peer> peers_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool ends_ = false, leaves_ = false, handled_ = false;
  std::optional<Failure> own_failure_, failure_;
  std::optional<Clock::time_point> told_rank_0_;
  std::optional<std::string> stop_;                   // this rank's wish
  std::optional<std::pair<int, std::string>> asked_;  // another's
  std::thread thread_;                                // comes last
};

Monitor::Monitor(Communicator& ranks, Options options)
    : thread_(std::make_unique<Thread>(ranks, std::move(options))) {
  barrier(ranks);
}
Monitor::~Monitor() = default;
void Monitor::fail(const std::string& cause) { thread_->fail(cause); }
void Monitor::ask_to_stop(const std::string& why) { thread_->ask_to_stop(why); }
void Monitor::check() const { thread_->check(); }
void Monitor::leave() { thread_->leave(); }

}  // namespace gladius::cluster
