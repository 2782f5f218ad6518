// Checked access to the keys of a configuration's JSON. For the parsers of this folder.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius {

/// One JSON object; `where` begins the messages of its ConfigErrors. A key that is null counts as
/// missing.
class JsonFields {
 public:
  using Json = nlohmann::ordered_json;

  JsonFields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) fail("expected a JSON object");
  }

  bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }
  const Json& at(const char* key) const { return json_.at(key); }

  template <class T>
  T required(const char* key) const {
    if (!has(key)) fail(fmt::format("\"{}\" is missing", key));
    return get<T>(key);
  }
  template <class T>
  T value_or(const char* key, T fallback) const {
    return has(key) ? get<T>(key) : fallback;
  }
  template <class T>
  std::optional<T> optional(const char* key) const {
    return has(key) ? std::optional<T>(get<T>(key)) : std::nullopt;
  }

  /// A number above zero, at most `largest`; required without a fallback.
  template <class T = std::int64_t>
  T positive(const char* key, std::optional<std::type_identity_t<T>> fallback = {},
             std::type_identity_t<T> largest = kLargest<T>) const {
    const T value = fallback ? value_or<T>(key, *fallback) : required<T>(key);
    if (!(value > 0)) fail(fmt::format("\"{}\" is {}; it must be positive", key, value));
    if (value > largest) {
      fail(fmt::format("\"{}\" is {}; it must be at most {}", key, value, largest));
    }
    return value;
  }

  /// A token's id.
  std::int32_t token_id(const char* key) const {
    return required_id(key, json_.at(key), "a token's id");
  }
  /// One or a list of them.
  std::vector<std::int32_t> token_ids(const char* key) const {
    const Json& value = json_.at(key);
    std::vector<std::int32_t> list;
    for (const Json& item : value.is_array() ? value : Json::array({value})) {
      list.push_back(required_id(key, item, "a token's id or a list of them"));
    }
    return list;
  }

  /// The object under `key`, with its name in messages.
  JsonFields nested(const char* key) const {
    return {json_.at(key), fmt::format("{}: \"{}\"", where_, key)};
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(fmt::format("{}: {}", where_, what));
  }

 private:
  // Sizes stay where the product of two fits 64 bits.
  template <class T>
  static constexpr T kLargest = std::is_integral_v<T> ? static_cast<T>(INT32_MAX)
                                                      : std::numeric_limits<T>::max();

  template <class T>
  T get(const char* key) const {
    const Json& value = json_.at(key);
    const bool fits = std::is_same_v<T, bool>          ? value.is_boolean()
                      : std::is_same_v<T, std::string> ? value.is_string()
                      : std::is_floating_point_v<T>    ? is_finite(value)
                                                       : is_int64(value);
    if (!fits) fail(fmt::format("\"{}\" is {}, which is of the wrong type", key, shown(value)));
    return value.get<T>();
  }
  // `item`: what `key` has, or one of its list.
  std::int32_t required_id(const char* key, const Json& item, const char* expected) const {
    if (is_int64(item) && std::in_range<std::int32_t>(item.get<std::int64_t>())) {
      return item.get<std::int32_t>();
    }
    fail(fmt::format("\"{}\" is {}; {} is expected", key, shown(json_.at(key)), expected));
  }
  static bool is_finite(const Json& value) {
    return value.is_number() && std::isfinite(value.get<double>());
  }
  // Also 32.0, which Python's json makes of a number that was computed.
  static bool is_int64(const Json& value) {
    if (value.is_number_float()) {
      const double number = value.get<double>();
      return std::abs(number) <= 0x1p53 && number == std::floor(number);
    }
    return value.is_number_integer() &&
           !(value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX);
  }

  const Json& json_;
  std::string where_;
};

}  // namespace gladius
