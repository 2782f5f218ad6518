// Filters of lists, dicts and other things with elements.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "gladius/models/chat_template/filters.h"
#include "gladius/models/chat_template/operations.h"
#include "gladius/models/chat_template/print.h"
#include "gladius/models/chat_template/text.h"

namespace gladius::text::jinja {
namespace {

// "a.b.0" follows three attributes; an integer is an element.
Value follow(Runtime& runtime, const Value& item, const Value& path) {
  charge_text(runtime.budget, item);
  charge_text(runtime.budget, path);
  if (path.text() == nullptr) return get_item(item, path);
  Value out = item;
  for (const std::string_view part : split(runtime.budget, *path.text(), ".", -1)) {
    std::int64_t index = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool whole = error == std::errc() && end == part.data() + part.size();
    out = get_item(out, whole ? Value(index) : Value(part));
  }
  return out;
}

// The value that sort, unique and their like compare: an attribute, letters without case.
Value comparison_key(Runtime& runtime, const Value& item, const Value* attribute,
                     bool case_sensitive) {
  Value key = attribute && !attribute->is_none() ? follow(runtime, item, *attribute) : item;
  charge_text(runtime.budget, key);
  if (!case_sensitive && key.text()) return to_lower(*key.text());
  return key;
}

Value filter_length(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("length", {}, std::move(arguments));
  return length(runtime.budget, value);
}

Value filter_default(Runtime&, const Value& value, Arguments arguments) {
  const Parameters given("default", {"default_value", "boolean"}, std::move(arguments));
  if (!value.is_undefined() && !(given.flag(1) && !truthy(value))) return value;
  return given.find(0) ? given.at(0) : Value("");
}

Value filter_join(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("join", {"d", "attribute"}, std::move(arguments));
  const std::string between = given.find(0) ? text_of(runtime, given.at(0)) : "";
  const Value* attribute = given.find(1);
  std::string out;
  bool first = true;
  for (const Value& item : iterate(runtime.budget, value)) {
    if (!std::exchange(first, false)) out += between;
    out += text_of(runtime,
                   attribute && !attribute->is_none() ? follow(runtime, item, *attribute) : item);
    runtime.budget.text(between.size());
    if (out.size() > kMaxText) fail("join: the text becomes longer than 64 MiB");
  }
  return out;
}

Value filter_list(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("list", {}, std::move(arguments));
  return make_sequence(iterate(runtime.budget, value).values());
}

Value filter_first(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("first", {}, std::move(arguments));
  const auto items = iterate(runtime.budget, value);
  return items.empty() ? Value::undefined("no first item, the sequence was empty") : items[0];
}

Value filter_last(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("last", {}, std::move(arguments));
  length(runtime.budget, value);  // Python cannot run an iterator backwards
  const auto items = iterate(runtime.budget, value);
  return items.empty() ? Value::undefined("no last item, the sequence was empty")
                       : items[items.size() - 1];
}

Value filter_reverse(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("reverse", {}, std::move(arguments));
  if (value.text()) return get_slice(runtime.budget, value, {}, {}, -1);
  Values items = iterate(runtime.budget, value).values();
  std::reverse(items.begin(), items.end());
  return make_sequence(std::move(items), SequenceKind::kIterator);
}

Value filter_items(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("items", {}, std::move(arguments));
  Values out;
  if (!value.is_undefined()) {
    const Dict* dict = value.dict();
    if (dict == nullptr) fail("items: can only get item pairs from a mapping");
    runtime.budget.step(dict->items().size());
    for (const auto& [key, item] : dict->items()) {
      out.push_back(make_sequence({key, item}, SequenceKind::kTuple));
    }
  }
  return make_sequence(std::move(out), SequenceKind::kIterator);
}

// Sorts `items` by the keys, stably in either direction, as Python does.
Values sorted(Runtime& runtime, std::vector<std::pair<Value, Value>> keyed, bool reverse) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return (reverse ? order(runtime.budget, b.first, a.first)
                    : order(runtime.budget, a.first, b.first)) < 0;
  });
  Values out;
  for (auto& [key, item] : keyed) out.push_back(std::move(item));
  return out;
}

Value filter_sort(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("sort", {"reverse", "case_sensitive", "attribute"}, std::move(arguments));
  const auto paths = given.text(2);
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : iterate(runtime.budget, value)) {
    if (paths) {
      Values keys;
      for (const std::string_view path : split(runtime.budget, *paths, ",", -1)) {
        const Value attribute(path);
        keys.push_back(comparison_key(runtime, item, &attribute, given.flag(1)));
      }
      keyed.emplace_back(make_sequence(std::move(keys)), item);
    } else {
      // Jinja compares lists of one, which asks for an order only where the elements differ.
      keyed.emplace_back(make_sequence({comparison_key(runtime, item, nullptr, given.flag(1))}),
                         item);
    }
  }
  return make_sequence(sorted(runtime, std::move(keyed), given.flag(0)));
}

Value filter_dictsort(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("dictsort", {"case_sensitive", "by", "reverse"}, std::move(arguments));
  const std::string by(given.text(1).value_or("key"));
  if (by != "key" && by != "value") fail("dictsort: `by` must be 'key' or 'value'");
  const Dict* dict = value.dict();
  if (dict == nullptr) fail(fmt::format("dictsort: takes a dict, not '{}'", type_name(value)));
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, item] : dict->items()) {
    keyed.emplace_back(comparison_key(runtime, by == "key" ? key : item, nullptr, given.flag(0)),
                       make_sequence({key, item}, SequenceKind::kTuple));
  }
  return make_sequence(sorted(runtime, std::move(keyed), given.flag(2)));
}

// A set of Python's. What a Dict cannot have as a key (tuples) is compared with one after another,
// so that the budget counts it: a small template makes tuples that take for ever to hash.
class SeenValues {
 public:
  /// Whether it is new. Fails for what cannot be hashed.
  bool add(Budget& budget, const Value& value) {
    if (Dict::can_be_key(value)) {
      if (simple_.find(value) != nullptr) return false;
      simple_.set(value, Value());
      return true;
    }
    require_hashable(budget, value);
    for (const Value& other : others_) {
      if (equal(budget, value, other)) return false;
    }
    others_.push_back(value);
    return true;
  }

 private:
  Dict simple_;
  Values others_;
};

Value filter_unique(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("unique", {"case_sensitive", "attribute"}, std::move(arguments));
  SeenValues seen;
  Values out;
  for (const Value& item : iterate(runtime.budget, value)) {
    const Value key = comparison_key(runtime, item, given.find(1), given.flag(0));
    if (seen.add(runtime.budget, key)) out.push_back(item);
  }
  return make_sequence(std::move(out), SequenceKind::kIterator);
}

Value filter_sum(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("sum", {"attribute", "start"}, std::move(arguments));
  Value out = given.find(1) ? given.at(1) : Value(0);
  for (const Value& item : iterate(runtime.budget, value)) {
    const bool whole = !given.find(0) || given.at(0).is_none();
    out = apply(runtime.budget, BinaryOperator::kAdd, out,
                whole ? item : follow(runtime, item, given.at(0)));
  }
  return out;
}

template <bool Largest>
Value filter_extreme(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given(Largest ? "max" : "min", {"case_sensitive", "attribute"},
                         std::move(arguments));
  const auto items = iterate(runtime.budget, value);
  if (items.empty()) return Value::undefined("no aggregated item, the sequence was empty");
  const Value* best = &items[0];
  const auto key = [&](const Value& item) {
    return comparison_key(runtime, item, given.find(1), given.flag(0));
  };
  for (std::size_t i = 1; i < items.size(); ++i) {
    const auto compared = order(runtime.budget, key(items[i]), key(*best));
    if (Largest ? compared > 0 : compared < 0) best = &items[i];
  }
  return *best;
}

Value take_first(std::string_view function, std::string_view what, Arguments& arguments) {
  if (arguments.positional.empty()) fail(fmt::format("{}: the {} is missing", function, what));
  Value out = std::move(arguments.positional.front());
  arguments.positional.erase(arguments.positional.begin());
  return out;
}

// Jinja's map and select do not look at what is false, whatever its type.
Value no_elements() { return make_sequence({}, SequenceKind::kIterator); }

Value map_attribute(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("map", {"attribute", "default"}, std::move(arguments));
  Values out;
  for (const Value& item : iterate(runtime.budget, value)) {
    Value mapped = follow(runtime, item, given.at(0));
    const bool replaced = mapped.is_undefined() && given.find(1) && !given.at(1).is_none();
    out.push_back(replaced ? given.at(1) : std::move(mapped));
  }
  return make_sequence(std::move(out), SequenceKind::kIterator);
}

Value filter_map(Runtime& runtime, const Value& value, Arguments arguments) {
  if (!truthy(value)) return no_elements();
  if (arguments.positional.empty()) return map_attribute(runtime, value, std::move(arguments));
  const std::string name = text_of(runtime, take_first("map", "filter", arguments));
  const Function filter = find_filter(name);
  if (filter == nullptr) refuse(fmt::format("the filter '{}'", name));
  Values out;
  for (const Value& item : iterate(runtime.budget, value)) {
    out.push_back(filter(runtime, item, arguments));
  }
  return make_sequence(std::move(out), SequenceKind::kIterator);
}

template <bool Keep, bool ByAttribute>
Value filter_select(Runtime& runtime, const Value& value, Arguments arguments) {
  if (!truthy(value)) return no_elements();
  const Value attribute = ByAttribute ? take_first("selectattr", "attribute", arguments) : Value();
  Test test = nullptr;
  if (!arguments.positional.empty()) {
    const std::string name = text_of(runtime, take_first("select", "test", arguments));
    test = find_test(name);
    if (test == nullptr) refuse(fmt::format("the test '{}'", name));
  }
  Values out;
  for (const Value& item : iterate(runtime.budget, value)) {
    const Value tested = ByAttribute ? follow(runtime, item, attribute) : item;
    if ((test ? test(runtime, tested, arguments) : truthy(tested)) == Keep) out.push_back(item);
  }
  return make_sequence(std::move(out), SequenceKind::kIterator);
}

}  // namespace

Function find_sequence_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Function> filters{
      {"count", filter_length},
      {"d", filter_default},
      {"default", filter_default},
      {"dictsort", filter_dictsort},
      {"first", filter_first},
      {"items", filter_items},
      {"join", filter_join},
      {"last", filter_last},
      {"length", filter_length},
      {"list", filter_list},
      {"map", filter_map},
      {"max", filter_extreme<true>},
      {"min", filter_extreme<false>},
      {"reject", filter_select<false, false>},
      {"rejectattr", filter_select<false, true>},
      {"reverse", filter_reverse},
      {"select", filter_select<true, false>},
      {"selectattr", filter_select<true, true>},
      {"sort", filter_sort},
      {"sum", filter_sum},
      {"unique", filter_unique},
  };
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace gladius::text::jinja
