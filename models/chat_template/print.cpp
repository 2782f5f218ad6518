#include "gladius/models/chat_template/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "gladius/models/chat_template/text.h"

namespace gladius::text::jinja {
namespace {

// Text that grows under the budget.
class Writer {
 public:
  explicit Writer(Budget& budget) : budget_(budget) {}
  void put(std::string_view text) {
    budget_.step();
    out_ += text;
    if (out_.size() > kMaxText) fail("the template makes a text of more than 64 MiB");
  }
  Budget& budget() { return budget_; }
  std::string take() { return std::move(out_); }

 private:
  Budget& budget_;
  std::string out_;
};

void write_repr(Writer& out, const Value& value);

void write_items(Writer& out, const Values& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.put(", ");
    write_repr(out, items[i]);
  }
}

void write_sequence(Writer& out, const Sequence& sequence, const std::string& type) {
  switch (sequence.kind) {
    case SequenceKind::kTuple:
      out.put("(");
      write_items(out, sequence.items);
      out.put(sequence.items.size() == 1 ? ",)" : ")");
      return;
    case SequenceKind::kRange:
    case SequenceKind::kIterator:
      refuse(fmt::format("printing a {}", type));
    default: {
      const bool view = sequence.kind != SequenceKind::kList;
      if (view) out.put(type + "(");
      out.put("[");
      write_items(out, sequence.items);
      out.put(view ? "])" : "]");
    }
  }
}

void write_repr(Writer& out, const Value& value) {
  if (value.is_none()) return out.put("None");
  if (value.is_undefined()) return out.put("Undefined");
  if (const auto* flag = std::get_if<bool>(&value.data())) return out.put(*flag ? "True" : "False");
  if (const auto* number = std::get_if<double>(&value.data())) return out.put(float_repr(*number));
  if (const auto integer = as_integer(value)) return out.put(std::to_string(*integer));
  if (const std::string* text = value.text()) return out.put(quote_python(*text));
  if (const Sequence* sequence = value.sequence()) {
    return write_sequence(out, *sequence, type_name(value));
  }
  const Dict* dict = value.dict();
  if (dict == nullptr) refuse(fmt::format("printing a {}", type_name(value)));
  out.put("{");
  for (std::size_t i = 0; i < dict->items().size(); ++i) {
    if (i > 0) out.put(", ");
    write_repr(out, dict->items()[i].first);
    out.put(": ");
    write_repr(out, dict->items()[i].second);
  }
  out.put("}");
}

std::string json_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return float_repr(value);
}

class JsonWriter {
 public:
  JsonWriter(Budget& budget, const JsonStyle& style) : out_(budget), style_(style) {}

  std::string write(const Value& value) {
    put(value, 0);
    return out_.take();
  }

 private:
  void put(const Value& value, int level) {
    if (const std::string* text = value.text()) {
      return out_.put(quote_json(*text, style_.ensure_ascii));
    }
    if (const auto scalar = scalar_text(value)) return out_.put(*scalar);
    const Sequence* sequence = value.sequence();
    if (sequence != nullptr && sequence->kind <= SequenceKind::kTuple) {
      return put_all('[', ']', sequence->items, level,
                     [&](const Value& item) { put(item, level + 1); });
    }
    if (const Dict* dict = value.dict()) return put_dict(*dict, level);
    fail(fmt::format("tojson: a value of type '{}' has no JSON form", type_name(value)));
  }

  static std::optional<std::string> scalar_text(const Value& value) {
    if (value.is_none()) return "null";
    if (const auto* flag = std::get_if<bool>(&value.data())) return *flag ? "true" : "false";
    if (const auto* number = std::get_if<double>(&value.data())) return json_float(*number);
    if (const auto integer = as_integer(value)) return std::to_string(*integer);
    return std::nullopt;
  }

  void put_dict(const Dict& dict, int level) {
    auto items = dict.items();
    if (style_.sort_keys) {
      std::stable_sort(items.begin(), items.end(), [&](const auto& a, const auto& b) {
        return order(out_.budget(), a.first, b.first) < 0;
      });
    }
    put_all('{', '}', items, level, [&](const auto& item) {
      const std::string* key = item.first.text();
      out_.put(quote_json(key ? *key : *scalar_text(item.first), style_.ensure_ascii));
      out_.put(style_.key_separator);
      put(item.second, level + 1);
    });
  }

  template <class Items, class Put>
  void put_all(char open, char close, const Items& items, int level, Put put_item) {
    out_.put(std::string(1, open));
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.put(style_.item_separator);
      new_line(level + 1);
      put_item(items[i]);
    }
    if (!items.empty()) new_line(level);
    out_.put(std::string(1, close));
  }

  void new_line(int level) {
    if (!style_.indent) return;
    out_.put("\n");
    for (int i = 0; i < level; ++i) out_.put(*style_.indent);
  }

  Writer out_;
  const JsonStyle& style_;
};

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // d.ddde+xx, the digits of which Python writes plainly for exponents from -4 to 15.
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value),
                                 std::chars_format::scientific);
  const std::string_view shortest(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  const std::size_t mark = shortest.find('e');
  int exponent = 0;
  const char* from = shortest.data() + mark + 1;
  std::from_chars(from + (*from == '+'), end.ptr, exponent);
  std::string digits(1, shortest[0]);
  if (mark > 2) digits += shortest.substr(2, mark - 2);
  const std::string sign = std::signbit(value) ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = digits.size() > 1 ? fmt::format(".{}", digits.substr(1)) : "";
    return fmt::format("{}{}{}e{}{:02d}", sign, digits[0], fraction, exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  if (exponent < 0) {
    return fmt::format("{}0.{}{}", sign, std::string(static_cast<std::size_t>(-exponent - 1), '0'),
                       digits);
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    return fmt::format("{}{}{}.0", sign, digits, std::string(whole - digits.size(), '0'));
  }
  return fmt::format("{}{}.{}", sign, digits.substr(0, whole), digits.substr(whole));
}

std::string repr(Budget& budget, const Value& value) {
  Writer out(budget);
  write_repr(out, value);
  std::string text = out.take();
  budget.text(text.size());
  return text;
}

std::string to_text(Budget& budget, const Value& value) {
  if (value.is_undefined()) return "";
  if (const std::string* text = value.text()) {
    budget.text(text->size());
    return *text;
  }
  return repr(budget, value);
}

std::string to_json(Budget& budget, const Value& value, const JsonStyle& style) {
  std::string text = JsonWriter(budget, style).write(value);
  budget.text(text.size());
  return text;
}

}  // namespace gladius::text::jinja
