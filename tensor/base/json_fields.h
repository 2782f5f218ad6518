// Checked access to the keys of a JSON object.
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
#include "gladius/tensor/base/quoted.h"

namespace gladius {

/// What a JSON object is: settings that somebody wrote, whose errors are ConfigErrors, or a record
/// of a program, whose errors are FormatErrors.
enum class JsonKind { settings, record };

/// One JSON object. Messages are `where: "path.key" is ...`: `where` names the file ("": whoever
/// catches the error does), `path` the object's place in it. A key that is null counts as missing.
class JsonFields {
 public:
  using Json = nlohmann::ordered_json;
  /// The largest whole number that JSON's numbers hold everywhere.
  static constexpr std::int64_t kLargestWhole = std::int64_t{1} << 53;

  JsonFields(Json json, std::string where, std::string path = "",
             JsonKind kind = JsonKind::settings)
      : json_(std::move(json)), where_(std::move(where)), path_(std::move(path)), kind_(kind) {
    if (json_.is_object()) return;
    raise(path_.empty() ? "expected a JSON object"
                        : fmt::format("{} is {}; expected an object {{...}}", in_quotes(path_),
                                      json_.type_name()));
  }

  bool has(const std::string& key) const { return json_.contains(key) && !json_.at(key).is_null(); }
  /// Whether it is there, null or not.
  bool contains(const std::string& key) const { return json_.contains(key); }
  const Json& at(const std::string& key) const { return json_.at(key); }
  /// The value of a key that is there; an error says what was expected if it does not fit.
  const Json& checked(const std::string& key, const char* expected, bool fits) const {
    const Json& value = json_.at(key);
    if (!fits) fail(key, fmt::format("is {}; expected {}", shown(value), expected));
    return value;
  }

  template <class T>
  T required(const std::string& key) const {
    if (!has(key)) fail(key, "is missing");
    return get<T>(key);
  }
  template <class T>
  T value_or(const std::string& key, T fallback) const {
    return has(key) ? get<T>(key) : fallback;
  }
  template <class T>
  std::optional<T> optional(const std::string& key) const {
    return has(key) ? std::optional<T>(get<T>(key)) : std::nullopt;
  }

  /// A number above zero, at most `largest`; required without a fallback.
  template <class T = std::int64_t>
  T positive(const std::string& key, std::optional<std::type_identity_t<T>> fallback = {},
             std::type_identity_t<T> largest = kLargest<T>) const {
    const T value = fallback ? value_or<T>(key, *fallback) : required<T>(key);
    if (!(value > 0)) fail(key, fmt::format("is {}; it must be positive", value));
    if (value > largest) fail(key, fmt::format("is {}; it must be at most {}", value, largest));
    return value;
  }

  /// A whole number that counts something.
  std::int64_t count(const std::string& key) const {
    if (!has(key)) fail(key, "is missing");
    const Json& value = json_.at(key);
    const bool fits = is_int64(value) && value.get<std::int64_t>() >= 0 &&
                      value.get<std::int64_t>() <= kLargestWhole;
    return checked(key, "a whole number from 0 to 2^53", fits).get<std::int64_t>();
  }

  /// A token's id.
  std::int32_t token_id(const std::string& key) const {
    return required_id(key, json_.at(key), "a token's id");
  }
  /// One or a list of them.
  std::vector<std::int32_t> token_ids(const std::string& key) const {
    const Json& value = json_.at(key);
    std::vector<std::int32_t> list;
    for (const Json& item : value.is_array() ? value : Json::array({value})) {
      list.push_back(required_id(key, item, "a token's id or a list of them"));
    }
    return list;
  }

  /// The object under `key`.
  JsonFields nested(const std::string& key) const {
    return {json_.at(key), where_, path_of(key), kind_};
  }

  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    raise(fmt::format("{} {}", in_quotes(path_of(key)), what));
  }
  /// Of the object as a whole.
  [[noreturn]] void fail(const std::string& what) const {
    raise(path_.empty() ? what : fmt::format("{}: {}", in_quotes(path_), what));
  }

  /// Also 32.0, which Python's json makes of a number that was computed.
  static bool is_int64(const Json& value) {
    if (value.is_number_float()) {
      const double number = value.get<double>();
      return std::abs(number) <= 0x1p53 && number == std::floor(number);
    }
    return value.is_number_integer() &&
           !(value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX);
  }
  static bool is_finite(const Json& value) {
    return value.is_number() && std::isfinite(value.get<double>());
  }

 protected:
  const Json& json() const { return json_; }
  const std::string& where() const { return where_; }
  std::string path_of(const std::string& key) const {
    return path_.empty() ? key : path_ + "." + key;
  }

 private:
  [[noreturn]] void raise(const std::string& what) const {
    const std::string text = where_.empty() ? what : fmt::format("{}: {}", where_, what);
    if (kind_ == JsonKind::record) throw FormatError(text);
    throw ConfigError(text);
  }

  // Sizes stay where the product of two fits 64 bits.
  template <class T>
  static constexpr T kLargest = std::is_integral_v<T> ? static_cast<T>(INT32_MAX)
                                                      : std::numeric_limits<T>::max();

  template <class T>
  T get(const std::string& key) const {
    const Json& value = json_.at(key);
    if constexpr (std::is_same_v<T, bool>) {
      return checked(key, "true or false", value.is_boolean()).template get<T>();
    } else if constexpr (std::is_same_v<T, std::string>) {
      return checked(key, "text in quotes", value.is_string()).template get<T>();
    } else if constexpr (std::is_floating_point_v<T>) {
      return checked(key, "a number", is_finite(value)).template get<T>();
    } else {
      return checked(key, "a whole number", is_int64(value)).template get<T>();
    }
  }
  // `item`: what `key` has, or one of its list.
  std::int32_t required_id(const std::string& key, const Json& item, const char* expected) const {
    if (is_int64(item) && std::in_range<std::int32_t>(item.get<std::int64_t>())) {
      return item.get<std::int32_t>();
    }
    fail(key, fmt::format("is {}; expected {}", shown(json_.at(key)), expected));
  }

  Json json_;
  std::string where_;
  std::string path_;
  JsonKind kind_;
};

}  // namespace gladius
