// The machine that a run is on.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace gladius::train {

/// "cpu", "processors", "threads", "memory_bytes", "os", from /proc and uname; what is not known is
/// left out.
nlohmann::ordered_json describe_environment();

/// Writes that to a file, and says to `warn` what is other than the file had it before and decides
/// the last bits of results. IoError.
void record_environment(const std::filesystem::path& file,
                        const std::function<void(const std::string&)>& warn);

}  // namespace gladius::train
