// Numbers for people.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace gladius {

/// "475.57 MiB".
std::string format_bytes(std::uint64_t bytes);
/// "124,668,672".
std::string format_count(std::int64_t count);
/// "1:02:05", "2:05", and "-" for what is not finite.
std::string format_duration(double seconds);
/// "2026-01-15T15:04:28Z".
std::string format_time(std::time_t time);
/// "-52.3%": from `start` to `value`.
std::string format_change(double value, double start);

}  // namespace gladius
