#include "gladius/train/behaviour/json_values.h"

#include <algorithm>
#include <cmath>

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

bool is_integer(const Json& value) { return value.is_number_integer() || value.is_boolean(); }

bool equal_integers(const Json& a, const Json& b) {
  const auto negative = [](const Json& value) {
    return value.is_number_integer() && !value.is_number_unsigned() &&
           value.get<std::int64_t>() < 0;
  };
  const auto bits = [](const Json& value) {
    if (value.is_boolean()) return std::uint64_t{value.get<bool>()};
    return value.is_number_unsigned() ? value.get<std::uint64_t>()
                                      : static_cast<std::uint64_t>(value.get<std::int64_t>());
  };
  return negative(a) == negative(b) && bits(a) == bits(b);
}

// Without rounding the whole number to one that double has.
bool equals_whole(double real, const Json& whole) {
  constexpr double kBeyond = 18446744073709551616.0;  // 2^64
  if (!std::isfinite(real) || real != std::floor(real) || std::abs(real) >= kBeyond) return false;
  if (real >= 0) return equal_integers(Json(static_cast<std::uint64_t>(real)), whole);
  if (real < -kBeyond / 2) return false;
  return equal_integers(Json(static_cast<std::int64_t>(real)), whole);
}

bool equal_numbers(const Json& a, const Json& b) {
  if (is_integer(a) && is_integer(b)) return equal_integers(a, b);
  if (is_integer(a)) return equals_whole(b.get<double>(), a);
  if (is_integer(b)) return equals_whole(a.get<double>(), b);
  return a.get<double>() == b.get<double>();
}

bool equal_members(const Json& a, const Json& b, Booleans booleans) {
  return a.size() == b.size() && std::ranges::all_of(a.items(), [&](const auto& member) {
           const auto other = b.find(member.key());
           return other != b.end() && equal_values(member.value(), *other, booleans);
         });
}

}  // namespace

bool equal_values(const Json& a, const Json& b, Booleans booleans) {
  const auto is_number = [booleans](const Json& value) {
    return value.is_number() || (value.is_boolean() && booleans == Booleans::are_numbers);
  };
  if (is_number(a) && is_number(b)) return equal_numbers(a, b);
  if (a.is_array() && b.is_array()) {
    return std::ranges::equal(a, b, [booleans](const Json& left, const Json& right) {
      return equal_values(left, right, booleans);
    });
  }
  if (a.is_object() && b.is_object()) return equal_members(a, b, booleans);
  return a.type() == b.type() && !a.is_number() && a == b;
}

bool has_value(const Json& list, const Json& value, Booleans booleans) {
  return std::ranges::any_of(
      list, [&](const Json& element) { return equal_values(element, value, booleans); });
}

bool is_left_out(const Json& value) {
  return value.is_string() && value.get_ref<const std::string&>().empty();
}

std::string one_line(std::string_view text) {
  return Json(text).dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace gladius::train
