// Python's methods of strings, lists and dicts, as far as the sandbox allows them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "gladius/models/chat_template/functions.h"
#include "gladius/models/chat_template/operations.h"
#include "gladius/models/chat_template/print.h"
#include "gladius/models/chat_template/text.h"

namespace gladius::text::jinja {
namespace {

using Methods = std::unordered_map<std::string_view, Function>;

// The subject of a string method, its reading charged.
const std::string& subject_text(Runtime& runtime, const Value& subject) {
  runtime.budget.text(subject.text()->size());
  return *subject.text();
}

std::string_view required_text(const Parameters& given, std::size_t index) {
  given.at(index);
  const auto text = given.text(index);
  if (!text) fail("a string method takes a string, not None");
  return *text;
}

template <bool Left, bool Right>
Value strip_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("strip", {"chars"}, std::move(arguments));
  runtime.budget.text(given.text(0).value_or("").size());
  return strip(subject_text(runtime, subject), given.text(0), Left, Right);
}

Value list_of(Runtime& runtime, const std::vector<std::string_view>& parts) {
  runtime.budget.step(parts.size());
  return make_sequence(Values(parts.begin(), parts.end()));
}

template <bool FromRight>
Value split_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("split", {"sep", "maxsplit"}, std::move(arguments));
  const std::string& text = subject_text(runtime, subject);
  const auto separator = given.text(0);
  const std::int64_t limit = given.integer(1, -1);
  if (separator && separator->empty()) fail("split: empty separator");
  if (!FromRight || (!separator && limit < 0))
    return list_of(runtime, split(runtime.budget, text, separator, limit));
  if (!separator) refuse("rsplit on white space with a limit");
  return list_of(runtime, split_from_right(runtime.budget, text, *separator, limit));
}

Value splitlines_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("splitlines", {"keepends"}, std::move(arguments));
  if (given.flag(0)) refuse("splitlines that keeps the line ends");
  return list_of(runtime, split_lines(runtime.budget, subject_text(runtime, subject)));
}

template <bool AtStart>
Value affix_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given(AtStart ? "startswith" : "endswith", {"affix"}, std::move(arguments));
  const std::string& text = subject_text(runtime, subject);
  const auto matches = [&](const Value& affix) {
    if (affix.text() == nullptr) {
      fail(fmt::format("{} takes a string or a tuple of strings, not '{}'",
                       AtStart ? "startswith" : "endswith", type_name(affix)));
    }
    runtime.budget.text(affix.text()->size());
    return AtStart ? text.starts_with(*affix.text()) : text.ends_with(*affix.text());
  };
  const Sequence* several = given.at(0).sequence();
  if (several == nullptr || several->kind != SequenceKind::kTuple) return matches(given.at(0));
  return std::any_of(several->items.begin(), several->items.end(), matches);
}

template <bool AtStart>
Value remove_affix_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("removeprefix", {"affix"}, std::move(arguments));
  std::string_view text = subject_text(runtime, subject);
  const std::string_view affix = required_text(given, 0);
  if (AtStart && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!AtStart && text.ends_with(affix)) text.remove_suffix(affix.size());
  return text;
}

template <std::string (*Map)(std::string_view)>
Value map_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("string method", {}, std::move(arguments));
  return Map(subject_text(runtime, subject));
}

Value replace_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("replace", {"old", "new", "count"}, std::move(arguments));
  return replace_within(runtime.budget, subject_text(runtime, subject), required_text(given, 0),
                        required_text(given, 1), given.integer(2, -1));
}

template <bool Last>
Value find_method_of_text(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("find", {"sub"}, std::move(arguments));
  const std::string& text = subject_text(runtime, subject);
  const std::string_view needle = required_text(given, 0);
  const std::size_t hit = Last ? find_last_text(text, needle) : find_text(text, needle);
  if (hit == std::string::npos) return -1;
  return text_length(std::string_view(text).substr(0, hit));
}

Value count_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("count", {"sub"}, std::move(arguments));
  return count_text(subject_text(runtime, subject), required_text(given, 0));
}

Value join_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("join", {"iterable"}, std::move(arguments));
  const auto items = iterate(runtime.budget, given.at(0));
  for (const Value& item : items) {
    if (!item.text()) fail(fmt::format("join takes strings, not '{}'", type_name(item)));
  }
  return find_filter("join")(runtime, make_sequence(items.values()), {{subject}, {}});
}

template <CharacterClass Wanted>
Value class_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("string method", {}, std::move(arguments));
  return all_of_class(subject_text(runtime, subject), Wanted);
}

template <bool Upper>
Value cased_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("string method", {}, std::move(arguments));
  return all_cased(subject_text(runtime, subject), Upper);
}

template <SequenceKind Kind>
Value view_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("dict method", {}, std::move(arguments));
  runtime.budget.step(subject.dict()->items().size());
  Values out;
  for (const auto& [key, value] : subject.dict()->items()) {
    if constexpr (Kind == SequenceKind::kDictItems) {
      out.push_back(make_sequence({key, value}, SequenceKind::kTuple));
    } else {
      out.push_back(Kind == SequenceKind::kDictKeys ? key : value);
    }
  }
  return make_sequence(std::move(out), Kind);
}

Value get_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("get", {"key", "default"}, std::move(arguments));
  charge_text(runtime.budget, given.at(0));
  if (const Value* found = subject.dict()->find(given.at(0))) return *found;
  return given.find(1) ? given.at(1) : Value();
}

Value copy_method(Runtime&, const Value& subject, Arguments arguments) {
  const Parameters given("copy", {}, std::move(arguments));
  return subject;
}

Value list_count_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("count", {"value"}, std::move(arguments));
  const Values& items = subject.sequence()->items;
  return std::count_if(items.begin(), items.end(),
                       [&](const Value& item) { return equal(runtime.budget, item, given.at(0)); });
}

Value list_index_method(Runtime& runtime, const Value& subject, Arguments arguments) {
  const Parameters given("index", {"value"}, std::move(arguments));
  const Values& items = subject.sequence()->items;
  const auto found = std::find_if(items.begin(), items.end(), [&](const Value& item) {
    return equal(runtime.budget, item, given.at(0));
  });
  if (found == items.end()) fail("index: the value is not in the list");
  return found - items.begin();
}

const Methods kTextMethods{
    {"capitalize", map_method<capitalize>},
    {"count", count_method},
    {"endswith", affix_method<false>},
    {"find", find_method_of_text<false>},
    {"isalnum", class_method<CharacterClass::kAlphanumeric>},
    {"isalpha", class_method<CharacterClass::kAlpha>},
    {"isdigit", class_method<CharacterClass::kDigit>},
    {"islower", cased_method<false>},
    {"isspace", class_method<CharacterClass::kSpace>},
    {"isupper", cased_method<true>},
    {"join", join_method},
    {"lower", map_method<to_lower>},
    {"lstrip", strip_method<true, false>},
    {"removeprefix", remove_affix_method<true>},
    {"removesuffix", remove_affix_method<false>},
    {"replace", replace_method},
    {"rfind", find_method_of_text<true>},
    {"rsplit", split_method<true>},
    {"rstrip", strip_method<false, true>},
    {"split", split_method<false>},
    {"splitlines", splitlines_method},
    {"startswith", affix_method<true>},
    {"strip", strip_method<true, true>},
    {"title", map_method<to_title>},
    {"upper", map_method<to_upper>},
};

const Methods kDictMethods{
    {"copy", copy_method},
    {"get", get_method},
    {"items", view_method<SequenceKind::kDictItems>},
    {"keys", view_method<SequenceKind::kDictKeys>},
    {"values", view_method<SequenceKind::kDictValues>},
};

const Methods kSequenceMethods{
    {"count", list_count_method},
    {"index", list_index_method},
};

// What the sandbox's is_safe_attribute() forbids.
constexpr std::array kDictMutators{"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::array kListMutators{"append", "clear",  "extend",  "insert",
                                   "pop",    "remove", "reverse", "sort"};

bool is_forbidden(const Value& subject, std::string_view name) {
  const auto listed = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (subject.dict()) return listed(kDictMutators);
  return subject.sequence() && subject.sequence()->kind == SequenceKind::kList &&
         listed(kListMutators);
}

const Methods* methods_of(const Value& subject) {
  if (subject.text()) return &kTextMethods;
  if (subject.dict()) return &kDictMethods;
  if (subject.sequence() && subject.sequence()->indexable()) return &kSequenceMethods;
  return nullptr;
}

}  // namespace

std::optional<Value> find_method(const Value& subject, std::string_view name) {
  if (is_forbidden(subject, name)) {
    return Value::undefined(
        fmt::format("access to attribute '{}' of '{}' object is unsafe", name, type_name(subject)));
  }
  const Methods* methods = methods_of(subject);
  if (methods == nullptr) return std::nullopt;
  const auto found = methods->find(name);
  if (found == methods->end()) return std::nullopt;
  return Value(std::make_shared<const Callable>(
      Callable{std::string(name),
               [subject, function = found->second](Runtime& runtime, Arguments arguments) {
                 return function(runtime, subject, std::move(arguments));
               }}));
}

}  // namespace gladius::text::jinja
