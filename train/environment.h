// The machine that a run is on.
#pragma once

#include <nlohmann/json.hpp>

namespace gladius {

/// "cpu", "processors", "threads", "memory_bytes", "os", from /proc and uname; what is not known is
/// left out.
nlohmann::ordered_json describe_environment();

}  // namespace gladius
