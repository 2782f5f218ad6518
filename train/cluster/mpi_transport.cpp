#include "gladius/train/cluster/mpi_transport.h"

#ifdef GLADIUS_MPI

#include <dlfcn.h>
#include <fmt/format.h>
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace gladius::cluster {
namespace {

constexpr const char* kLibrary = "libmpi.so.40";  // Open MPI 2 to 5

// The functions that are used, as the header declares them.
struct Mpi {
  decltype(&MPI_Init_thread) init_thread;
  decltype(&MPI_Finalize) finalize;
  decltype(&MPI_Comm_rank) comm_rank;
  decltype(&MPI_Comm_size) comm_size;
  decltype(&MPI_Comm_set_errhandler) comm_set_errhandler;
  decltype(&MPI_Error_string) error_string;
  decltype(&MPI_Isend) isend;
  decltype(&MPI_Irecv) irecv;
  decltype(&MPI_Testall) testall;
  decltype(&MPI_Get_count) get_count;
  // What MPI_COMM_WORLD and the like stand for.
  MPI_Comm world;
  MPI_Datatype byte;
  MPI_Errhandler errors_return;
};

void* symbol(void* library, const char* name) {
  void* found = ::dlsym(library, name);
  if (found == nullptr) throw ConfigError(fmt::format("{} has no {}", kLibrary, name));
  return found;
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(symbol(library, name));
}

Mpi load() {
  // Its own modules look for its names in the whole process.
  void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    throw ConfigError(
        fmt::format("this process is one of several, for which it needs Open MPI (Debian: "
                    "openmpi-bin), and {} cannot be loaded: {}",
                    kLibrary, ::dlerror()));
  }
  Mpi mpi{};
  find(library, "MPI_Init_thread", mpi.init_thread);
  find(library, "MPI_Finalize", mpi.finalize);
  find(library, "MPI_Comm_rank", mpi.comm_rank);
  find(library, "MPI_Comm_size", mpi.comm_size);
  find(library, "MPI_Comm_set_errhandler", mpi.comm_set_errhandler);
  find(library, "MPI_Error_string", mpi.error_string);
  find(library, "MPI_Isend", mpi.isend);
  find(library, "MPI_Irecv", mpi.irecv);
  find(library, "MPI_Testall", mpi.testall);
  find(library, "MPI_Get_count", mpi.get_count);
  mpi.world = static_cast<MPI_Comm>(symbol(library, "ompi_mpi_comm_world"));
  mpi.byte = static_cast<MPI_Datatype>(symbol(library, "ompi_mpi_byte"));
  mpi.errors_return = static_cast<MPI_Errhandler>(symbol(library, "ompi_mpi_errors_return"));
  return mpi;
}

// A message goes in pieces that TCP's module sends at once (its eager limit is 64 KB with a
// header). Of a longer one the receiver has to ask for the rest, and its question waits behind all
// that it sends itself at the time: two ranks that exchange would each have half the network.
constexpr std::size_t kPiece = std::size_t{63} << 10;
constexpr int kTag = 1;

template <class Bytes, class Use>
void for_each_piece(const Bytes& bytes, const Use& use) {
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    use(bytes.data() + begin, static_cast<int>(std::min(kPiece, bytes.size() - begin)));
  }
}

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator() : mpi_(load()) {
    int given = 0;
    check("MPI_Init_thread", mpi_.init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given));
    if (given < MPI_THREAD_SERIALIZED) {
      throw ConfigError("this build of Open MPI is for programs of one thread alone");
    }
    mpi_.comm_set_errhandler(mpi_.world, mpi_.errors_return);
    check("MPI_Comm_rank", mpi_.comm_rank(mpi_.world, &rank_));
    check("MPI_Comm_size", mpi_.comm_size(mpi_.world, &size_));
  }
  // It waits for the others, so it is left out where some do not come.
  ~MpiCommunicator() override {
    if (!broken_) mpi_.finalize();
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    const bool was_broken = std::exchange(broken_, true);
    if (was_broken) throw ClusterError("messages between ranks have failed before");
    requests_.clear();
    expected_.clear();
    for (const Incoming& message : in) begin_receive(message);
    for (const Outgoing& message : out) begin_send(message);
    const std::vector<MPI_Status> statuses = wait(in);
    broken_ = false;
    check_lengths(statuses);
  }

 private:
  void check(const char* call, int code) const {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    mpi_.error_string(code, text, &length);
    throw ClusterError(fmt::format("{}: {}", call, text));
  }

  void begin_receive(const Incoming& message) {
    for_each_piece(message.bytes, [&](std::byte* piece, int count) {
      requests_.emplace_back();
      expected_.push_back({message.from, count});
      check("MPI_Irecv",
            mpi_.irecv(piece, count, mpi_.byte, message.from, kTag, mpi_.world, &requests_.back()));
    });
  }

  void begin_send(const Outgoing& message) {
    for_each_piece(message.bytes, [&](const std::byte* piece, int count) {
      requests_.emplace_back();
      check("MPI_Isend",
            mpi_.isend(piece, count, mpi_.byte, message.to, kTag, mpi_.world, &requests_.back()));
    });
  }

  std::vector<MPI_Status> wait(std::span<const Incoming> in) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    std::vector<MPI_Status> statuses(requests_.size());
    constexpr int kLooksBeforeSleep = 50, kLooksBetweenChecks = 64;
    for (int looks = 0;; ++looks) {
      int done = 0;
      check("MPI_Testall", mpi_.testall(static_cast<int>(requests_.size()), requests_.data(), &done,
                                        statuses.data()));
      if (done != 0) return statuses;
      if (looks % kLooksBetweenChecks == 0) {
        call_watch();
        const std::chrono::duration<double> time = Clock::now() - start;
        if (timeout() > 0 && time.count() > timeout()) {
          throw ClusterError(fmt::format(
              "{} answered for {:g} s",
              in.empty() ? "a rank has not" : fmt::format("rank {} has not", in[0].from),
              timeout()));
        }
      }
      if (looks < kLooksBeforeSleep) {
        std::this_thread::yield();
      } else {
        constexpr std::chrono::microseconds kSleep{50};
        std::this_thread::sleep_for(kSleep);
      }
    }
  }

  void check_lengths(const std::vector<MPI_Status>& statuses) const {
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      int count = 0;
      mpi_.get_count(&statuses[i], mpi_.byte, &count);
      if (count == expected_[i].bytes) continue;
      throw ClusterError(fmt::format("rank {} has sent {} bytes, expected {}", expected_[i].from,
                                     count, expected_[i].bytes));
    }
  }

  struct Expected {
    int from, bytes;
  };

  Mpi mpi_;
  int rank_ = 0, size_ = 1;
  bool broken_ = false;
  std::vector<MPI_Request> requests_;
  std::vector<Expected> expected_;  // of the first requests
};

}  // namespace

bool has_mpi() { return true; }

std::unique_ptr<Communicator> make_mpi_communicator() {
  return std::make_unique<MpiCommunicator>();
}

}  // namespace gladius::cluster

#else

namespace gladius::cluster {

bool has_mpi() { return false; }

std::unique_ptr<Communicator> make_mpi_communicator() {
  throw ConfigError(
      "this process is one of several, and the program was built without MPI; build it where "
      "libopenmpi-dev is installed, or start it without a launcher");
}

}  // namespace gladius::cluster

#endif
