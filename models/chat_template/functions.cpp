#include "gladius/models/chat_template/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "gladius/models/chat_template/filters.h"
#include "gladius/models/chat_template/operations.h"
#include "gladius/models/chat_template/print.h"

namespace gladius::text::jinja {
namespace {

constexpr std::int64_t kMaxRange = 100'000;  // the sandbox's

Value make_range(Runtime& runtime, Arguments arguments) {
  const Parameters given("range", {"start", "stop", "step"}, std::move(arguments));
  const bool only_stop = given.find(1) == nullptr;
  const std::int64_t start = only_stop ? 0 : given.integer(0, 0);
  const std::int64_t stop = given.integer(only_stop ? 0 : 1, 0);
  const std::int64_t step = given.integer(2, 1);
  if (step == 0) fail("range: the step must not be zero");
  Values items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    runtime.budget.step();
    if (static_cast<std::int64_t>(items.size()) >= kMaxRange) {
      fail("range: more than 100000 elements");
    }
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return make_sequence(std::move(items), SequenceKind::kRange);
}

// dict(...) and namespace(...): a mapping or pairs, then names.
std::vector<std::pair<Value, Value>> gather_entries(Runtime& runtime, std::string_view function,
                                                    Arguments arguments) {
  std::vector<std::pair<Value, Value>> out;
  if (arguments.positional.size() > 1) fail(fmt::format("{}: more than one argument", function));
  for (const Value& source : arguments.positional) {
    if (const Dict* dict = source.dict()) {
      runtime.budget.step(dict->items().size());
      out = dict->items();
      continue;
    }
    for (const Value& pair : iterate(runtime.budget, source)) {
      const auto parts = iterate(runtime.budget, pair);
      if (parts.size() != 2) fail(fmt::format("{}: an element is no pair", function));
      out.emplace_back(parts[0], parts[1]);
    }
  }
  for (auto& [name, value] : arguments.named) out.emplace_back(Value(name), std::move(value));
  return out;
}

Value make_dict_of(Runtime& runtime, Arguments arguments) {
  Dict dict;
  for (auto& [key, value] : gather_entries(runtime, "dict", std::move(arguments))) {
    charge_text(runtime.budget, key);
    dict.set(std::move(key), std::move(value));
  }
  return make_dict(std::move(dict));
}

Value make_namespace(Runtime& runtime, Arguments arguments) {
  runtime.budget.step(kKeptSteps);
  auto out = std::make_shared<Namespace>();
  runtime.namespaces.push_back(out);
  for (auto& [key, value] : gather_entries(runtime, "namespace", std::move(arguments))) {
    if (key.text() == nullptr) fail("namespace: a name is no string");
    set_attribute(*out, *key.text(), std::move(value));
  }
  return Value(std::move(out));
}

Value raise_exception(Runtime& runtime, Arguments arguments) {
  const Parameters given("raise_exception", {"message"}, std::move(arguments));
  throw Failure{FailureKind::kRaised, to_text(runtime.budget, given.at(0))};
}

Value strftime_now(Runtime&, Arguments arguments) {
  const Parameters given("strftime_now", {"format"}, std::move(arguments));
  const std::string format(given.text(0).value_or(""));
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 4096> buffer{};
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &local);
  if (size == 0 && !format.empty()) fail("strftime_now: the result is empty or too long");
  return std::string(buffer.data(), size);
}

}  // namespace

Function find_filter(std::string_view name) {
  for (const auto find : {find_text_filter, find_number_filter, find_sequence_filter}) {
    if (const Function filter = find(name)) return filter;
  }
  return nullptr;
}

std::optional<Value> find_global(std::string_view name) {
  using Global = Value (*)(Runtime&, Arguments);
  constexpr std::array<std::pair<std::string_view, Global>, 5> globals{{
      {"range", make_range},
      {"dict", make_dict_of},
      {"namespace", make_namespace},
      {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
  }};
  for (const auto& [known, function] : globals) {
    if (known == name) {
      return Value(std::make_shared<const Callable>(Callable{std::string(name), function}));
    }
  }
  return std::nullopt;
}

Parameters::Parameters(std::string_view function, std::vector<std::string_view> names,
                       Arguments arguments)
    : function_(function), names_(std::move(names)), values_(names_.size()) {
  if (arguments.positional.size() > names_.size()) {
    fail(fmt::format("{}: takes at most {} arguments, {} were given", function_, names_.size(),
                     arguments.positional.size()));
  }
  std::move(arguments.positional.begin(), arguments.positional.end(), values_.begin());
  for (auto& [name, value] : arguments.named) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) fail(fmt::format("{}: has no argument '{}'", function_, name));
    auto& slot = values_[static_cast<std::size_t>(found - names_.begin())];
    if (slot) fail(fmt::format("{}: the argument '{}' was given twice", function_, name));
    slot = std::move(value);
  }
}

const Value& Parameters::at(std::size_t index) const {
  if (!values_[index]) {
    fail(fmt::format("{}: the argument '{}' is missing", function_, names_[index]));
  }
  return *values_[index];
}

bool Parameters::flag(std::size_t index, bool fallback) const {
  return values_[index] ? truthy(*values_[index]) : fallback;
}

std::int64_t Parameters::integer(std::size_t index, std::int64_t fallback) const {
  if (!values_[index]) return fallback;
  const auto value = as_integer(*values_[index]);
  if (!value) {
    fail(fmt::format("{}: the argument '{}' must be an integer, not '{}'", function_, names_[index],
                     type_name(*values_[index])));
  }
  return *value;
}

std::optional<std::string_view> Parameters::text(std::size_t index) const {
  if (!values_[index] || values_[index]->is_none()) return std::nullopt;
  const std::string* value = values_[index]->text();
  if (value == nullptr) {
    fail(fmt::format("{}: the argument '{}' must be a string, not '{}'", function_, names_[index],
                     type_name(*values_[index])));
  }
  return *value;
}

}  // namespace gladius::text::jinja
