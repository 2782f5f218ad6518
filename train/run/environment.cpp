#include "gladius/train/run/environment.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/tensor/parallel.h"
#include "gladius/train/run/json_object.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

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

// Sums are split by threads, and kernels chosen by processor: both decide the last bits.
void warn_of_changes(const Json& before, const Json& now,
                     const std::function<void(const std::string&)>& warn) {
  for (const char* key : {"threads", "cpu"}) {
    const Json old = before.value(key, Json()), current = now.value(key, Json());
    if (old == current) continue;
    warn(fmt::format(
        "the run resumes with other {} ({}) than before ({}), so the last bits of its results may "
        "differ from those of a run that never stopped",
        key, shown(current), shown(old)));
  }
}

}  // namespace

Json describe_environment() {
  Json environment;
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

void record_environment(const std::filesystem::path& file,
                        const std::function<void(const std::string&)>& warn) {
  const Json before = read_optional_json(file);
  const Json now = describe_environment();
  if (!before.is_null()) warn_of_changes(before, now, warn);
  write_text_file(file, now.dump(2) + "\n");
}

}  // namespace gladius::train
