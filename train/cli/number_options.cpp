#include "number_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

#include "gladius/tensor/base/quoted.h"

namespace gladius::cli {
namespace {

template <class Number>
bool is_number(const std::string& text, Number& value) {
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, value);
  return !text.empty() && error == std::errc() && after == end;
}

std::string check_whole(const std::string& text) {
  std::int64_t value = 0;
  return is_number(text, value) ? "" : in_quotes(text) + " is not a whole number of 64 bits";
}

std::string check_count(const std::string& text) {
  std::uint64_t value = 0;
  return is_number(text, value) ? ""
                                : in_quotes(text) + " is not a whole number from 0 to 2^64 - 1";
}

std::string check_finite(const std::string& text) {
  double value = 0;
  return is_number(text, value) && std::isfinite(value) ? "" : in_quotes(text) + " is not a number";
}

// CLI11's name of what the option takes, such as "INT:POSITIVE"; sizes have units.
void check_number(CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.find("SIZE") != std::string::npos) return;
  if (type.starts_with("INT")) option.check(check_whole);
  if (type.starts_with("UINT")) option.check(check_count);
  if (type.starts_with("FLOAT")) option.check(check_finite);
}

}  // namespace

void check_numbers(CLI::App& program) {
  for (CLI::Option* option : program.get_options()) check_number(*option);
  for (CLI::App* command : program.get_subcommands([](CLI::App*) { return true; })) {
    check_numbers(*command);
  }
}

}  // namespace gladius::cli
