#include "gladius/train/environment.h"

#include <sys/utsname.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

// The value behind the first "KEY : VALUE" of a file of /proc.
std::optional<std::string> proc_value(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    if (begin != std::string::npos) return line.substr(begin);
  }
  return {};
}

}  // namespace

nlohmann::ordered_json describe_environment() {
  nlohmann::ordered_json environment;
  if (const auto cpu = proc_value("/proc/cpuinfo", "model name")) environment["cpu"] = *cpu;
  environment["processors"] = std::thread::hardware_concurrency();
  environment["threads"] = num_threads();
  if (const auto total = proc_value("/proc/meminfo", "MemTotal")) {
    environment["memory_bytes"] = std::stoull(*total) * 1024;  // it is in kB
  }
  utsname system{};
  if (::uname(&system) == 0) {
    environment["os"] = std::string(system.sysname) + " " + system.release + " " + system.machine;
  }
  return environment;
}

}  // namespace gladius
