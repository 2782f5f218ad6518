// What happened in a run, and when: timeline.jsonl.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace gladius::train {

struct TimelineEntry {
  std::string time, event;
};

/// What the note of each checkpoint begins with.
inline constexpr std::string_view kCheckpointEvent = "checkpoint at step ";

/// And that of a stop on request.
inline constexpr std::string_view kStopEvent = "stopped at step ";

/// Adds a line: the time and what happened. IoError.
void note_event(const std::filesystem::path& timeline, std::string_view event);

/// All entries. A line that is none is ignored, such as a cut one that a killed process has left.
/// Empty if there is no file.
std::vector<TimelineEntry> read_timeline(const std::filesystem::path& timeline);

/// The last of them, by the end of the file alone; empty if there is none.
std::string last_event(const std::filesystem::path& timeline);

}  // namespace gladius::train
