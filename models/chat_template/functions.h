// The filters, tests, methods and global functions that templates call.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/chat_template/value.h"

namespace gladius::text::jinja {

/// A filter or method: what stands before the bar or dot, and the arguments.
using Function = Value (*)(Runtime&, const Value& subject, Arguments);
using Test = bool (*)(Runtime&, const Value& subject, Arguments);

/// nullptr for names that are not known.
Function find_filter(std::string_view name);
Test find_test(std::string_view name);

/// The method `name` of a value as a function; undefined when the sandbox forbids it, nothing when
/// the type has none of that name.
std::optional<Value> find_method(const Value& subject, std::string_view name);

/// range, dict, namespace, raise_exception, strftime_now; nothing for other names.
std::optional<Value> find_global(std::string_view name);

/// Arguments given by position or by name, as a function's parameters ask for them.
class Parameters {
 public:
  /// Fails when there are too many arguments, or one has an unknown name or comes twice.
  Parameters(std::string_view function, std::vector<std::string_view> names, Arguments arguments);

  /// nullptr when the argument was not given.
  const Value* find(std::size_t index) const { return values_[index] ? &*values_[index] : nullptr; }
  /// Fails when the argument was not given.
  const Value& at(std::size_t index) const;
  bool flag(std::size_t index, bool fallback = false) const;
  std::int64_t integer(std::size_t index, std::int64_t fallback) const;
  /// A string, or nothing when it was not given or is None; fails for other types.
  std::optional<std::string_view> text(std::size_t index) const;

 private:
  std::string_view function_;
  std::vector<std::string_view> names_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace gladius::text::jinja
