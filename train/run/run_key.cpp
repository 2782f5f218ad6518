#include "gladius/train/run/run_key.h"

namespace gladius::train {

using Json = nlohmann::ordered_json;

std::string shown_default(const Json& value) {
  if (value == Json("")) return "null";
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::vector<std::string> elements;
  for (const Json& element : value) elements.push_back(shown_default(element));
  return fmt::format("[{}]", fmt::join(elements, ", "));
}

std::string described(const std::pair<std::int64_t, std::int64_t>& range) {
  if (range.second == RunFields::kLargestWhole)
    return fmt::format("a whole number, at least {}", range.first);
  return fmt::format("a whole number from {} to {}", range.first, range.second);
}

std::string described(const char* what, const RunFields::Range& range) {
  if (range.high == run_key::kInfinity) {
    return fmt::format("{}{} {}", what, range.open_low ? " above" : ", at least", range.low);
  }
  return fmt::format("{} in {}", what, RunFields::shown_range(range));
}

Json paths_json(const std::vector<std::filesystem::path>& paths) {
  if (paths.empty()) return nullptr;
  if (paths.size() == 1) return paths[0].string();
  Json list = Json::array();
  for (const auto& path : paths) list.push_back(path.string());
  return list;
}

}  // namespace gladius::train
