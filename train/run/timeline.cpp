#include "gladius/train/run/timeline.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "gladius/tensor/base/append_file.h"
#include "gladius/tensor/base/text_format.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

std::optional<TimelineEntry> entry_of(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("time") || !json.contains("event") ||
      !json["time"].is_string() || !json["event"].is_string()) {
    return {};
  }
  return TimelineEntry{json["time"].get<std::string>(), json["event"].get<std::string>()};
}

}  // namespace

void note_event(const std::filesystem::path& timeline, std::string_view event) {
  const Json line{{"time", format_time(std::time(nullptr))}, {"event", event}};
  AppendFile(timeline).append(line.dump() + "\n");
}

std::vector<TimelineEntry> read_timeline(const std::filesystem::path& timeline) {
  std::vector<TimelineEntry> entries;
  std::ifstream in(timeline, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    if (auto entry = entry_of(line)) entries.push_back(std::move(*entry));
  }
  return entries;
}

std::string last_event(const std::filesystem::path& timeline) {
  constexpr std::streamoff kEnd = 4096;  // events are short
  std::ifstream in(timeline, std::ios::binary | std::ios::ate);
  if (!in) return "";
  in.seekg(std::max<std::streamoff>(0, in.tellg() - kEnd));
  std::string event;
  for (std::string line; std::getline(in, line);) {
    if (auto entry = entry_of(line)) event = std::move(entry->event);
  }
  return event;
}

}  // namespace gladius::train
