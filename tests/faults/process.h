// The program as another process, that can be disturbed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gladius::faults {

struct Ending {
  std::optional<int> code;    // none: ended by
  std::optional<int> signal;  // a signal
  std::string err;
};

/// A program that runs until wait(). Standard output is dropped, standard error kept.
class Process {
 public:
  /// PROGRAM ARGUMENTS, found as a shell does.
  static Process of_command(const std::vector<std::string>& command,
                            const std::filesystem::path& err,
                            const std::map<std::string, std::string>& environment = {}) {
    return {err, command, environment};
  }
  /// `gladius ARGUMENTS`.
  Process(const std::vector<std::string>& arguments, const std::filesystem::path& err,
          const std::map<std::string, std::string>& environment = {});
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// Kills what still runs.
  ~Process();

  pid_t pid() const { return pid_; }
  void send(int signal) const;
  /// Whether it still runs after this time.
  bool runs_after(std::chrono::microseconds time);
  Ending wait();

 private:
  Process(std::filesystem::path err, std::vector<std::string> words,
          const std::map<std::string, std::string>& environment);

  std::filesystem::path err_;
  pid_t pid_ = 0;
  std::optional<int> status_;
};

}  // namespace gladius::faults
