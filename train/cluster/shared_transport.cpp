#include "gladius/train/cluster/shared_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace gladius::cluster {
namespace {

// What the ranks have sent to each other and not received.
class Mailboxes {
 public:
  void put(int from, int to, std::span<const std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    boxes_[{from, to}].emplace_back(bytes.begin(), bytes.end());
    changed_.notify_all();
  }
  void fail(int rank, std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error), failed_rank_ = rank;
    changed_.notify_all();
  }
  const std::exception_ptr& error() const { return error_; }

  /// Nothing: not within `time`.
  std::optional<std::vector<std::byte>> take(int from, int to, std::chrono::microseconds time) {
    std::unique_lock lock(mutex_);
    auto& box = boxes_[{from, to}];
    changed_.wait_for(lock, time, [&] { return !box.empty() || error_; });
    if (!box.empty()) {
      std::vector<std::byte> message = std::move(box.front());
      box.pop_front();
      return message;
    }
    if (error_) throw ClusterError(fmt::format("rank {} has failed", failed_rank_));
    return {};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> boxes_;
  std::exception_ptr error_;
  int failed_rank_ = 0;
};

class SharedCommunicator : public Communicator {
 public:
  SharedCommunicator(int rank, int size, Mailboxes& boxes)
      : rank_(rank), size_(size), boxes_(boxes) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    for (const Outgoing& message : out) boxes_.put(rank_, message.to, message.bytes);
    const auto start = std::chrono::steady_clock::now();
    for (const Incoming& message : in) take(message, start);
  }

 private:
  void take(const Incoming& wanted, std::chrono::steady_clock::time_point start) {
    std::optional<std::vector<std::byte>> came;
    while (!came) {
      constexpr std::chrono::milliseconds kBetweenLooks{5};
      came = boxes_.take(wanted.from, rank_, kBetweenLooks);
      call_watch();
      const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      if (!came && timeout() > 0 && time.count() > timeout()) {
        throw ClusterError(
            fmt::format("rank {} has not answered for {:g} s", wanted.from, timeout()));
      }
    }
    if (came->size() != wanted.bytes.size()) {
      throw ClusterError(fmt::format("rank {} has sent {} bytes, expected {}", wanted.from,
                                     came->size(), wanted.bytes.size()));
    }
    std::ranges::copy(*came, wanted.bytes.begin());
  }

  int rank_, size_;
  Mailboxes& boxes_;
};

}  // namespace

void run_ranks(int size, const std::function<void(Communicator&)>& body) {
  Mailboxes boxes;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      SharedCommunicator communicator(rank, size, boxes);
      try {
        body(communicator);
      } catch (...) {
        boxes.fail(rank, std::current_exception());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (boxes.error()) std::rethrow_exception(boxes.error());
}

}  // namespace gladius::cluster
