#include "gladius/train/run/timeline.h"

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "gladius/tensor/base/append_file.h"
#include "gladius/tensor/base/text_format.h"

namespace gladius::train {

using Json = nlohmann::ordered_json;

void note_event(const std::filesystem::path& timeline, std::string_view event) {
  const Json line{{"time", format_time(std::time(nullptr))}, {"event", event}};
  AppendFile(timeline).append(line.dump() + "\n");
}

std::vector<TimelineEntry> read_timeline(const std::filesystem::path& timeline) {
  std::vector<TimelineEntry> entries;
  std::ifstream in(timeline, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("time") || !json.contains("event") ||
        !json["time"].is_string() || !json["event"].is_string()) {
      continue;
    }
    entries.push_back({json["time"].get<std::string>(), json["event"].get<std::string>()});
  }
  return entries;
}

}  // namespace gladius::train
