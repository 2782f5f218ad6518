// Filters that make numbers.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "gladius/models/chat_template/filters.h"
#include "gladius/models/chat_template/operations.h"
#include "gladius/models/chat_template/print.h"
#include "gladius/models/chat_template/text.h"

namespace gladius::text::jinja {
namespace {

std::string plain_number(std::string_view text) {
  std::string out(strip(text, {}, true, true));
  std::erase(out, '_');
  if (out.starts_with('+')) out.erase(0, 1);
  return out;
}

std::optional<double> parse_float(std::string_view text) {
  const std::string number = plain_number(text);
  double out = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
  const std::string number = plain_number(text);
  std::int64_t out = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), out, base);
  if (error == std::errc::result_out_of_range) fail("int: the integer does not fit 64 bits");
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return out;
}

std::optional<std::int64_t> truncate(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return std::nullopt;
  if (std::abs(*value) >= 0x1p63) fail("int: the integer does not fit 64 bits");
  return static_cast<std::int64_t>(*value);
}

Value filter_int(Runtime&, const Value& value, Arguments arguments) {
  const Parameters given("int", {"default", "base"}, std::move(arguments));
  require_defined(value);
  const std::int64_t base = given.integer(1, 10);
  if (base < 2 || base > 36) fail("int: the base must be from 2 to 36");
  auto out = as_integer(value);
  if (!out && value.text()) out = parse_integer(*value.text(), static_cast<int>(base));
  if (!out) out = truncate(value.text() ? parse_float(*value.text()) : as_number(value));
  if (out) return *out;
  return given.find(0) ? given.at(0) : Value(0);
}

Value filter_float(Runtime&, const Value& value, Arguments arguments) {
  const Parameters given("float", {"default"}, std::move(arguments));
  require_defined(value);
  const auto out = value.text() ? parse_float(*value.text()) : as_number(value);
  if (out) return *out;
  return given.find(0) ? given.at(0) : Value(0.0);
}

Value filter_abs(Runtime&, const Value& value, Arguments arguments) {
  const Parameters given("abs", {}, std::move(arguments));
  require_defined(value);
  const auto number = as_number(value);
  if (!number) fail(fmt::format("abs: takes a number, not '{}'", type_name(value)));
  if (const auto integer = as_integer(value)) return *integer < 0 ? negate(value) : Value(*integer);
  return std::abs(*number);
}

Value filter_round(Runtime&, const Value& value, Arguments arguments) {
  const Parameters given("round", {"precision", "method"}, std::move(arguments));
  require_defined(value);
  const std::int64_t precision = given.integer(0, 0);
  const std::string method(given.text(1).value_or("common"));
  const auto number = as_number(value);
  if (!number) fail(fmt::format("round: takes a number, not '{}'", type_name(value)));
  if (precision < 0 || precision > 300) refuse("round with a precision outside 0 to 300");
  if (method == "common") {
    if (const auto integer = as_integer(value)) return *integer;
    if (!std::isfinite(*number)) return *number;
    return *parse_float(fmt::format("{:.{}f}", *number, precision));  // half to even, exactly
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return std::ceil(*number * scale) / scale;
  if (method == "floor") return std::floor(*number * scale) / scale;
  fail("round: the method must be common, ceil or floor");
}

}  // namespace

Function find_number_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Function> filters{
      {"abs", filter_abs},
      {"float", filter_float},
      {"int", filter_int},
      {"round", filter_round},
  };
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace gladius::text::jinja
