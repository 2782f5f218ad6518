#include "gladius/train/run/run_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/nearest_name.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/utf8.h"

namespace gladius::train {
namespace {

// Why `path` names no file that a run can have, or null. What run.json holds is UTF-8.
const char* no_path(const std::filesystem::path& path) {
  constexpr std::size_t kLongestPath = 4095, kLongestName = 255;
  const std::string& text = path.native();
  const auto is_long = [](const std::filesystem::path& name) {
    return name.native().size() > kLongestName;
  };
  if (text.find('\0') != std::string::npos) return "which has a NUL in it; expected a path";
  if (text.size() > kLongestPath || std::ranges::any_of(path, is_long)) {
    return "which is longer than the path of a file can be";
  }
  if (utf8::find_invalid(text) != std::string::npos) {
    return "whose whole path is not UTF-8; rename the file or its directory";
  }
  return nullptr;
}

}  // namespace

using Json = nlohmann::ordered_json;

std::string RunFields::shown_range(const Range& range) {
  return fmt::format("{}{}, {}{}", range.open_low ? '(' : '[', range.low, range.high,
                     range.open_high ? ')' : ']');
}

void RunFields::require_known(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : json().items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    throw ConfigError(fmt::format("{}: unknown key {}; the nearest known key is {}", where(),
                                  in_quotes(path_of(key)),
                                  in_quotes(path_of(nearest_name(key, known)))));
  }
}

std::int64_t RunFields::integer(const std::string& key, std::int64_t fallback, std::int64_t low,
                                std::int64_t high) const {
  if (!has(key)) return fallback;
  const Json& found = json().at(key);
  const bool is_whole = found.is_number_unsigned() || is_int64(found);  // above 2^63: out of range
  const Json& value = checked(key, "a whole number", is_whole);
  in_range(key, value, {.low = static_cast<double>(low), .high = static_cast<double>(high)});
  return value.get<std::int64_t>();
}

std::vector<std::int64_t> RunFields::integers(const std::string& key,
                                              std::pair<std::int64_t, std::int64_t> range) const {
  const Json& list = json().at(key);
  const bool fits = list.is_array() && !list.empty() && std::ranges::all_of(list, is_int64);
  checked(key, "a list of whole numbers", fits);
  std::vector<std::int64_t> values;
  for (const Json& value : list) {
    in_range(key, value,
             {.low = static_cast<double>(range.first), .high = static_cast<double>(range.second)});
    values.push_back(value.get<std::int64_t>());
  }
  return values;
}

std::vector<std::string> RunFields::texts(const std::string& key, std::size_t most) const {
  const Json& list = json().at(key);
  const auto is_text = [](const Json& one) {
    return one.is_string() && !one.get_ref<const std::string&>().empty();
  };
  checked(key, "a list of texts in quotes, none of them empty",
          list.is_array() && !list.empty() && std::ranges::all_of(list, is_text));
  if (list.size() > most) {
    fail(key, fmt::format("has {} texts; expected at most {}", list.size(), most));
  }
  return list.get<std::vector<std::string>>();
}

double RunFields::number(const std::string& key, double fallback, const Range& range) const {
  if (!has(key)) return fallback;
  return in_range(key, checked(key, "a number", json().at(key).is_number()), range);
}

std::string RunFields::choice(const std::string& key, const std::string& fallback,
                              const std::vector<std::string>& choices) const {
  const auto value = value_or(key, fallback);
  if (std::ranges::find(choices, value) == choices.end()) {
    fail(key, fmt::format("is {}; expected one of {}", in_quotes(value), fmt::join(choices, ", ")));
  }
  return value;
}

std::optional<std::filesystem::path> RunFields::path(const std::string& key) const {
  if (!has(key)) return {};
  return required_path(key);
}

std::filesystem::path RunFields::required_path(const std::string& key) const {
  return from_here(key, required<std::string>(key));
}

std::vector<std::filesystem::path> RunFields::paths(const std::string& key) const {
  if (!has(key)) return {};
  const Json& value = json().at(key);
  const bool is_list = value.is_array() && !value.empty() &&
                       std::ranges::all_of(value, [](const Json& one) { return one.is_string(); });
  checked(key, "a path in quotes or a list of them", value.is_string() || is_list);
  if (value.is_string()) return {required_path(key)};
  std::vector<std::filesystem::path> paths;
  for (const Json& one : value) paths.push_back(from_here(key, one.get<std::string>()));
  return paths;
}

std::pair<double, double> RunFields::pair(const std::string& key,
                                          std::pair<double, double> fallback,
                                          const Range& range) const {
  if (!has(key)) return fallback;
  const Json& value = json().at(key);
  const bool fits =
      value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number();
  checked(key, "a list of two numbers", fits);
  return {in_range(key, value[0], range), in_range(key, value[1], range)};
}

RunFields RunFields::object(const std::string& key) const {
  return {has(key) ? json().at(key) : Json::object(), where(), path_of(key)};
}

std::vector<RunFields> RunFields::objects(const std::string& key) const {
  std::vector<RunFields> list;
  if (!has(key)) return list;
  for (const Json& element : checked(key, "a list", json().at(key).is_array())) {
    list.emplace_back(element, where(), fmt::format("{}.{}", path_of(key), list.size()));
  }
  return list;
}

std::filesystem::path RunFields::from_here(const std::string& key, const std::string& path) const {
  if (path.empty()) fail(key, "is empty; expected a path");
  const auto directory = std::filesystem::absolute(where()).parent_path();
  const std::filesystem::path whole = (directory / path).lexically_normal();
  if (const char* reason = no_path(whole)) {
    fail(key, fmt::format("is {}, {}", in_quotes(path), reason));
  }
  return whole;
}

double RunFields::in_range(const std::string& key, const Json& value, const Range& range) const {
  const double number = value.get<double>();
  const bool above = range.open_low ? number > range.low : number >= range.low;
  const bool below = range.open_high ? number < range.high : number <= range.high;
  if (!above || !below) {
    fail(key, fmt::format("is {}; expected a value in {}", shown(value), shown_range(range)));
  }
  return number;
}

void set_by_path(Json& root, const std::string& path, const std::string& value) {
  Json* place = &root;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    if (place->is_array()) {
      std::size_t index = 0;
      const auto [rest, error] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (error != std::errc() || rest != key.data() + key.size() || index >= place->size()) {
        throw ConfigError(fmt::format("--set {}: {} is not an element of a list of {}",
                                      shortened(path), in_quotes(key), place->size()));
      }
      place = &(*place)[index];
    } else if ((place->is_object() || place->is_null()) && !key.empty()) {
      place = &(*place)[key];
    } else {
      throw ConfigError(
          fmt::format("--set {}: there is no place for {}", shortened(path), in_quotes(key)));
    }
    begin = end + 1;
  }
  const Json parsed = Json::parse(value, nullptr, /*allow_exceptions=*/false);
  *place = parsed.is_discarded() ? Json(value) : parsed;
}

}  // namespace gladius::train
