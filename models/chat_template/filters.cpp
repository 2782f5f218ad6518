#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "gladius/models/chat_template/functions.h"
#include "gladius/models/chat_template/operations.h"
#include "gladius/models/chat_template/print.h"
#include "gladius/models/chat_template/text.h"

namespace gladius::jinja {
namespace {

std::string text_of(Runtime& runtime, const Value& value) { return to_text(runtime.budget, value); }

// --- attributes, as map, sort and their like take them ---

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

// --- texts ---

Value filter_trim(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("trim", {"chars"}, std::move(arguments));
  runtime.budget.text(given.text(0).value_or("").size());
  return strip(text_of(runtime, value), given.text(0), true, true);
}

template <std::string (*Map)(std::string_view)>
Value filter_case(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("filter", {}, std::move(arguments));
  return Map(text_of(runtime, value));
}

// A capital at the start of each word, where words begin behind white space and - ( { [ <.
std::string title_words(std::string_view text) {
  std::string out;
  bool inside = false;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = start + text_offset(text.substr(start), 1);
    const std::string_view character = text.substr(start, end - start);
    const bool starts_word = strip(character, {}, true, false).empty() ||
                             std::string_view("-({[<").find(character) != std::string_view::npos;
    out += inside ? to_lower(character) : to_upper(character);
    inside = !starts_word;
    start = end;
  }
  return out;
}

Value filter_replace(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("replace", {"old", "new", "count"}, std::move(arguments));
  const Value* count = given.find(2);
  return replace_within(runtime.budget, text_of(runtime, value), text_of(runtime, given.at(0)),
                        text_of(runtime, given.at(1)),
                        count && !count->is_none() ? given.integer(2, -1) : -1);
}

Value filter_indent(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("indent", {"width", "first", "blank"}, std::move(arguments));
  const Value* width = given.find(0);
  const std::string margin =
      width && width->text()
          ? *width->text()
          : std::string(
                static_cast<std::size_t>(std::clamp<std::int64_t>(given.integer(0, 4), 0, 1 << 20)),
                ' ');
  require_defined(value);
  if (!value.text()) fail(fmt::format("indent: takes a string, not '{}'", type_name(value)));
  const std::string text = text_of(runtime, value) + "\n";
  std::string out = given.flag(1) ? margin : "";
  bool first = true;
  for (const std::string_view line : split_lines(runtime.budget, text)) {
    if (!first) {
      out += '\n';
      if (!line.empty() || given.flag(2)) out += margin;
    }
    out += line;
    runtime.budget.text(margin.size() + line.size());
    if (out.size() > kMaxText) fail("indent: the text becomes longer than 64 MiB");
    first = false;
  }
  return out;
}

Value filter_string(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("string", {}, std::move(arguments));
  return text_of(runtime, value);
}

Value filter_same(Runtime&, const Value& value, Arguments arguments) {
  const Parameters given("safe", {}, std::move(arguments));
  return value;
}

Value filter_tojson(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("tojson", {"ensure_ascii", "indent", "separators", "sort_keys"},
                         std::move(arguments));
  JsonStyle style;
  style.ensure_ascii = given.flag(0);
  style.sort_keys = given.flag(3);
  if (const Value* indent = given.find(1); indent && !indent->is_none()) {
    style.item_separator.assign(1, ',');
    style.indent = indent->text() ? *indent->text()
                                  : std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(
                                                    given.integer(1, 0), 0, 1000)),
                                                ' ');
  }
  if (const Value* separators = given.find(2); separators && !separators->is_none()) {
    const auto parts = iterate(runtime.budget, *separators);
    if (parts.size() != 2 || !parts[0].text() || !parts[1].text()) {
      fail("tojson: the separators must be two strings");
    }
    style.item_separator = *parts[0].text();
    style.key_separator = *parts[1].text();
  }
  return to_json(runtime.budget, value, style);
}

// --- numbers ---

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

// --- sequences ---

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
      keyed.emplace_back(comparison_key(runtime, item, nullptr, given.flag(1)), item);
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

Value filter_unique(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("unique", {"case_sensitive", "attribute"}, std::move(arguments));
  Dict seen;
  Values out;
  for (const Value& item : iterate(runtime.budget, value)) {
    const Value key = comparison_key(runtime, item, given.find(1), given.flag(0));
    if (seen.find(key) != nullptr) continue;
    seen.set(key, Value());
    out.push_back(item);
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
  for (const Value& item : items) {
    const auto compared = order(runtime.budget, key(item), key(*best));
    if (Largest ? compared > 0 : compared < 0) best = &item;
  }
  return *best;
}

// --- filters and tests on every element ---

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

Function find_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Function> filters{
      {"abs", filter_abs},
      {"capitalize", filter_case<capitalize>},
      {"count", filter_length},
      {"d", filter_default},
      {"default", filter_default},
      {"dictsort", filter_dictsort},
      {"first", filter_first},
      {"float", filter_float},
      {"indent", filter_indent},
      {"int", filter_int},
      {"items", filter_items},
      {"join", filter_join},
      {"last", filter_last},
      {"length", filter_length},
      {"list", filter_list},
      {"lower", filter_case<to_lower>},
      {"map", filter_map},
      {"max", filter_extreme<true>},
      {"min", filter_extreme<false>},
      {"reject", filter_select<false, false>},
      {"rejectattr", filter_select<false, true>},
      {"replace", filter_replace},
      {"reverse", filter_reverse},
      {"round", filter_round},
      {"safe", filter_same},
      {"select", filter_select<true, false>},
      {"selectattr", filter_select<true, true>},
      {"sort", filter_sort},
      {"string", filter_string},
      {"sum", filter_sum},
      {"title", filter_case<title_words>},
      {"tojson", filter_tojson},
      {"trim", filter_trim},
      {"unique", filter_unique},
      {"upper", filter_case<to_upper>},
  };
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace gladius::jinja
