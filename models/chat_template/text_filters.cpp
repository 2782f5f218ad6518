// Filters that make text.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "gladius/models/chat_template/filters.h"
#include "gladius/models/chat_template/operations.h"
#include "gladius/models/chat_template/print.h"
#include "gladius/models/chat_template/text.h"

namespace gladius::text::jinja {
namespace {

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

// Nothing is escaped, so a text that is safe is like any other.
Value filter_safe(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("safe", {}, std::move(arguments));
  return text_of(runtime, value);
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

}  // namespace

Function find_text_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Function> filters{
      {"capitalize", filter_case<capitalize>},
      {"indent", filter_indent},
      {"lower", filter_case<to_lower>},
      {"replace", filter_replace},
      {"safe", filter_safe},
      {"string", filter_string},
      {"title", filter_case<title_words>},
      {"tojson", filter_tojson},
      {"trim", filter_trim},
      {"upper", filter_case<to_upper>},
  };
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace gladius::text::jinja
