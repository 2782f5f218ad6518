// The names that files and command lines have for the values of an enumeration.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gladius {

template <class Enum>
struct EnumName {
  Enum value;
  const char* name;
};

/// The values that can be chosen, and how they are called: an array of EnumName. To be specialised
/// beside the enumeration.
template <class Enum>
inline constexpr std::nullptr_t kEnumNames = nullptr;

/// The name of one of kEnumNames' values.
template <class Enum>
const char* name_of(Enum value) {
  return std::ranges::find(kEnumNames<Enum>, value, &EnumName<Enum>::value)->name;
}

/// The value that has this name; nothing if none has.
template <class Enum>
std::optional<Enum> value_named(std::string_view name) {
  const auto found = std::ranges::find(kEnumNames<Enum>, name, &EnumName<Enum>::name);
  return found == std::ranges::end(kEnumNames<Enum>) ? std::nullopt : std::optional(found->value);
}

/// All names, in order.
template <class Enum>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const EnumName<Enum>& one : kEnumNames<Enum>) names.emplace_back(one.name);
  return names;
}

}  // namespace gladius
