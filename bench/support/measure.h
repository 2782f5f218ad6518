// What the programs that measure whole models share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace gladius::bench {

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

template <class Work>
double seconds(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  std::forward<Work>(work)();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A line of /proc/self/status in bytes: "VmRSS:" is what is resident, "VmHWM:" its peak since the
/// start or since reset_peak().
inline std::uint64_t memory_status(const std::string& line) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kibibytes = 0;
    if (word == line && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}
inline void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

/// A program's exit code after `work`: 1 if it throws, which is told in a line.
template <class Work>
int exit_code(const char* program, Work&& work) try {
  std::forward<Work>(work)();
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}: error: {}\n", program, error.what());
  return 1;
}

}  // namespace gladius::bench
