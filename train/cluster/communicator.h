// Messages between the ranks of a run.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/tensor/base/error.h"

namespace gladius::cluster {

/// A rank that is gone or does not answer, or messages that do not fit together.
class ClusterError : public Error {
 public:
  using Error::Error;
};

struct Outgoing {
  int to = 0;
  std::span<const std::byte> bytes;
};
struct Incoming {
  int from = 0;
  std::span<std::byte> bytes;  // exactly what is sent
};

/// The ranks 0 .. size - 1 of a run, of which this process is one. Messages from one rank to
/// another come in the order in which they were sent. For one thread at a time.
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Sends and receives all of these, none after the other, and returns when that is done.
  /// ClusterError if a message has another length than is expected, if nothing is complete within
  /// the time-out, or what the watch throws.
  virtual void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) = 0;

  void send(int to, std::span<const std::byte> bytes);
  void receive(int from, std::span<std::byte> bytes);
  /// With its length before it.
  void send_text(int to, std::string_view text);
  std::string receive_text(int from);

  /// How long an exchange may take; 0 (as at the beginning): for ever.
  void set_timeout(double seconds) { timeout_s_ = seconds; }
  double timeout() const { return timeout_s_; }
  /// Called now and then while an exchange waits; what it throws ends the exchange, after which the
  /// communicator is of no more use.
  void set_watch(std::function<void()> watch) { watch_ = std::move(watch); }

 protected:
  void call_watch() const {
    if (watch_) watch_();
  }

 private:
  double timeout_s_ = 0;
  std::function<void()> watch_;
};

/// A rank that is the only one, and so has nobody to send to.
class SolitaryCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override;
};

/// Rank 0 gets the texts of all ranks, in their order; the others get nothing.
std::vector<std::string> gather_texts(Communicator& ranks, std::string_view own);
/// All get rank 0's.
std::string broadcast_text(Communicator& ranks, std::string_view text);
/// Returns when all ranks have come here.
void barrier(Communicator& ranks);

}  // namespace gladius::cluster
