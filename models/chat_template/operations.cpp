#include "gladius/models/chat_template/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gladius/models/chat_template/functions.h"
#include "gladius/models/chat_template/print.h"
#include "gladius/models/chat_template/text.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius::text::jinja {
namespace {

constexpr std::array kSymbols{"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void fail_types(BinaryOperator op, const Value& a, const Value& b) {
  fail(fmt::format("unsupported operand types for {}: '{}' and '{}'",
                   kSymbols[static_cast<std::size_t>(op)], type_name(a), type_name(b)));
}

std::int64_t checked(bool overflow, std::int64_t value) {
  if (overflow) fail("an integer leaves 64 bits");
  return value;
}

std::int64_t multiply(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  const bool overflow = __builtin_mul_overflow(a, b, &out);
  return checked(overflow, out);
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  std::int64_t out = 1;
  for (; exponent > 0; --exponent) out = multiply(out, base);
  return out;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  const bool overflow = a == INT64_MIN && b == -1;
  const std::int64_t quotient = checked(overflow, overflow ? 0 : a / b);
  return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

Value integer_result(BinaryOperator op, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  bool overflow = false;
  switch (op) {
    case BinaryOperator::kAdd:
      overflow = __builtin_add_overflow(a, b, &out);
      return checked(overflow, out);
    case BinaryOperator::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &out);
      return checked(overflow, out);
    case BinaryOperator::kMultiply:
      return multiply(a, b);
    case BinaryOperator::kDivide:
      return static_cast<double>(a) / static_cast<double>(b);
    case BinaryOperator::kFloorDivide:
      return floor_divide(a, b);
    case BinaryOperator::kModulo:
      return b == -1 ? 0 : a - b * floor_divide(a, b);
    case BinaryOperator::kPower:
      if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
      return integer_power(a, b);
  }
  fail("unknown operator");
}

// CPython's float.__divmod__, with its corrections for rounding.
std::pair<double, double> floor_divmod(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) {
      rest += b;
      quotient -= 1;
    }
  } else {
    rest = std::copysign(0.0, b);
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), rest};
  const double whole = std::floor(quotient);
  return {quotient - whole > 0.5 ? whole + 1 : whole, rest};
}

Value float_result(BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::kAdd:
      return a + b;
    case BinaryOperator::kSubtract:
      return a - b;
    case BinaryOperator::kMultiply:
      return a * b;
    case BinaryOperator::kDivide:
      return a / b;
    case BinaryOperator::kFloorDivide:
      return floor_divmod(a, b).first;
    case BinaryOperator::kModulo:
      return floor_divmod(a, b).second;
    case BinaryOperator::kPower: {
      const double out = std::pow(a, b);
      if (std::isnan(out) && !std::isnan(a) && !std::isnan(b)) fail("a power is no real number");
      if (std::isinf(out) && std::isfinite(a) && std::isfinite(b)) fail("a power is too large");
      return out;
    }
  }
  fail("unknown operator");
}

Value number_result(BinaryOperator op, const Value& a, const Value& b) {
  const bool divides = op == BinaryOperator::kDivide || op == BinaryOperator::kFloorDivide ||
                       op == BinaryOperator::kModulo;
  if (divides && *as_number(b) == 0) fail("division by zero");
  if (op == BinaryOperator::kPower && *as_number(a) == 0 && *as_number(b) < 0) {
    fail("0 cannot be raised to a negative power");
  }
  const auto ia = as_integer(a);
  const auto ib = as_integer(b);
  return ia && ib ? integer_result(op, *ia, *ib) : float_result(op, *as_number(a), *as_number(b));
}

bool is_list_or_tuple(const Value& value) {
  return value.sequence() && value.sequence()->kind <= SequenceKind::kTuple;
}

Value concatenate(Budget& budget, const Value& a, const Value& b) {
  if (const std::string* ta = a.text(), *tb = b.text(); ta && tb) {
    budget.text(ta->size() + tb->size());
    return *ta + *tb;
  }
  if (!is_list_or_tuple(a) || !is_list_or_tuple(b) || a.sequence()->kind != b.sequence()->kind) {
    fail_types(BinaryOperator::kAdd, a, b);
  }
  budget.step(a.sequence()->items.size() + b.sequence()->items.size());
  Values items = a.sequence()->items;
  items.insert(items.end(), b.sequence()->items.begin(), b.sequence()->items.end());
  return make_sequence(std::move(items), a.sequence()->kind);
}

Value repeat(Budget& budget, const Value& value, std::int64_t count) {
  const auto times = static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, kMaxText + 1));
  if (const std::string* text = value.text()) {
    if (text->empty()) return "";
    budget.text(times * std::min(text->size(), kMaxText));
    const std::size_t size = times * text->size();
    std::string out = text->substr(0, size);
    while (out.size() < size) out.append(out, 0, std::min(out.size(), size - out.size()));
    return out;
  }
  const Sequence& sequence = *value.sequence();
  budget.step(times * std::min(sequence.items.size(), kMaxSteps));
  Values items;
  for (std::size_t i = 0; i < times && !sequence.items.empty(); ++i) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return make_sequence(std::move(items), sequence.kind);
}

std::string object_name(const Value& value) {
  return value.is_none() ? "None" : type_name(value) + " object";
}

Value missing_attribute(const Value& object, const std::string& name) {
  return Value::undefined(fmt::format("'{}' has no attribute '{}'", object_name(object), name));
}

std::optional<Value> loop_attribute(const Loop& loop, std::string_view name) {
  const auto index = static_cast<std::int64_t>(loop.index);
  const auto length = static_cast<std::int64_t>(loop.items.size());
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "revindex") return length - index;
  if (name == "revindex0") return length - index - 1;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == length;
  if (name == "length") return length;
  if (name == "depth") return 1;
  if (name == "depth0") return 0;
  if (name == "previtem") {
    return index > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return index + 1 < length ? loop.items[loop.index + 1]
                              : Value::undefined("there is no next item");
  }
  if (name == "cycle" || name == "changed") refuse(fmt::format("loop.{}", name));
  return std::nullopt;
}

// What Python's getattr() finds.
std::optional<Value> python_attribute(const Value& object, const std::string& name) {
  if (const Loop* loop = object.loop()) return loop_attribute(*loop, name);
  if (const Namespace* space = object.name_space()) {
    const auto found = space->attributes.find(name);
    return found == space->attributes.end() ? std::nullopt : std::optional(found->second);
  }
  return find_method(object, name);
}

std::optional<Value> element(const Value& object, const Value& key) {
  if (const Dict* dict = object.dict()) {
    const Value* found = dict->find(key);
    return found ? std::optional(*found) : std::nullopt;
  }
  const auto index = as_integer(key);
  if (!index) return std::nullopt;
  const Sequence* sequence = object.sequence();
  const std::string* text = object.text();
  if (!text && !(sequence && sequence->indexable())) return std::nullopt;
  const auto size = static_cast<std::int64_t>(text ? text_length(*text) : sequence->items.size());
  const std::int64_t at = *index < 0 ? *index + size : *index;
  if (at < 0 || at >= size) return std::nullopt;
  if (sequence) return sequence->items[static_cast<std::size_t>(at)];
  const std::size_t offset = text_offset(*text, static_cast<std::size_t>(at));
  return text->substr(offset, utf8::char_length((*text)[offset]));
}

// The indices that slice.indices() gives.
std::vector<std::size_t> slice_indices(Budget& budget, std::int64_t size,
                                       std::optional<std::int64_t> start,
                                       std::optional<std::int64_t> stop, std::int64_t step) {
  const std::int64_t low = step < 0 ? -1 : 0;
  const std::int64_t high = step < 0 ? size - 1 : size;
  const auto bound = [&](std::optional<std::int64_t> given, std::int64_t fallback) {
    if (!given) return fallback;
    return std::clamp(*given < 0 ? *given + size : *given, low, high);
  };
  const std::int64_t end = bound(stop, step < 0 ? low : high);
  std::vector<std::size_t> out;
  for (std::int64_t i = bound(start, step < 0 ? high : low); step < 0 ? i > end : i < end;) {
    budget.step();
    out.push_back(static_cast<std::size_t>(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return out;
}

// Byte offsets of the text's characters and of its end.
std::vector<std::size_t> character_offsets(const std::string& text) {
  std::vector<std::size_t> out;
  for (std::size_t pos = 0; pos < text.size(); pos += utf8::char_length(text[pos])) {
    out.push_back(pos);
  }
  out.push_back(text.size());
  return out;
}

}  // namespace

void require_defined(const Value& value) {
  if (const auto* undefined = std::get_if<Undefined>(&value.data())) fail(*undefined->why);
}

Value apply(Budget& budget, BinaryOperator op, const Value& a, const Value& b) {
  require_defined(a);
  // Of whatever, also of what is undefined: Python takes that for a mapping.
  if (op == BinaryOperator::kModulo && a.text()) refuse("% on a string");
  require_defined(b);
  if (as_number(a) && as_number(b)) return number_result(op, a, b);
  if (op == BinaryOperator::kAdd) return concatenate(budget, a, b);
  if (op == BinaryOperator::kMultiply) {
    const auto repeatable = [](const Value& v) { return v.text() || is_list_or_tuple(v); };
    if (const auto count = as_integer(b); count && repeatable(a)) return repeat(budget, a, *count);
    if (const auto count = as_integer(a); count && repeatable(b)) return repeat(budget, b, *count);
  }
  fail_types(op, a, b);
}

Value negate(const Value& value) {
  require_defined(value);
  if (const auto integer = as_integer(value)) {
    return checked(*integer == INT64_MIN, *integer == INT64_MIN ? 0 : -*integer);
  }
  if (const auto number = as_number(value)) return -*number;
  fail(fmt::format("bad operand type for unary -: '{}'", type_name(value)));
}

bool compare(Budget& budget, CompareOperator op, const Value& a, const Value& b) {
  switch (op) {
    case CompareOperator::kEq:
      return equal(budget, a, b);
    case CompareOperator::kNe:
      return !equal(budget, a, b);
    case CompareOperator::kLt:
      return order(budget, a, b) < 0;
    case CompareOperator::kLe:
      return order(budget, a, b) <= 0;
    case CompareOperator::kGt:
      return order(budget, a, b) > 0;
    case CompareOperator::kGe:
      return order(budget, a, b) >= 0;
    case CompareOperator::kIn:
      return contains(budget, b, a);
    case CompareOperator::kNotIn:
      return !contains(budget, b, a);
  }
  return false;
}

Value get_attribute(const Value& object, const std::string& name) {
  require_defined(object);
  if (auto attribute = python_attribute(object, name)) return *attribute;
  if (auto found = element(object, Value(name))) return *found;
  return missing_attribute(object, name);
}

Value get_item(const Value& object, const Value& key) {
  require_defined(object);
  if (auto found = element(object, key)) return *found;
  if (const std::string* name = key.text()) {
    if (auto attribute = python_attribute(object, *name)) return *attribute;
    return missing_attribute(object, *name);
  }
  return Value::undefined(fmt::format("{} has no such element", object_name(object)));
}

Value get_slice(Budget& budget, const Value& object, std::optional<std::int64_t> start,
                std::optional<std::int64_t> stop, std::optional<std::int64_t> step) {
  require_defined(object);
  if (step == 0) fail("the slice's step must not be zero");
  const std::string* text = object.text();
  const Sequence* sequence = object.sequence();
  if (!text && !(sequence && sequence->indexable())) {
    fail(fmt::format("'{}' object cannot be sliced", type_name(object)));
  }
  if (sequence) {
    const auto size = static_cast<std::int64_t>(sequence->items.size());
    Values items;
    for (const std::size_t i : slice_indices(budget, size, start, stop, step.value_or(1))) {
      items.push_back(sequence->items[i]);
    }
    return make_sequence(std::move(items), sequence->kind);
  }
  budget.step(text->size());
  const auto offsets = character_offsets(*text);
  const auto size = static_cast<std::int64_t>(offsets.size()) - 1;
  std::string out;
  for (const std::size_t i : slice_indices(budget, size, start, stop, step.value_or(1))) {
    out.append(*text, offsets[i], offsets[i + 1] - offsets[i]);
  }
  return out;
}

void set_attribute(Namespace& object, const std::string& name, Value value) {
  if (name.starts_with('_')) {
    fail(fmt::format("a namespace's attribute must not start with an underscore: '{}'", name));
  }
  object.attributes[name] = std::move(value);
}

std::int64_t length(Budget& budget, const Value& value) {
  if (value.is_undefined()) return 0;
  if (const std::string* text = value.text()) {
    budget.text(text->size());
    return static_cast<std::int64_t>(text_length(*text));
  }
  if (const Dict* dict = value.dict()) return static_cast<std::int64_t>(dict->items().size());
  const Sequence* sequence = value.sequence();
  if (sequence && sequence->kind != SequenceKind::kIterator) {
    return static_cast<std::int64_t>(sequence->items.size());
  }
  if (const Loop* loop = value.loop()) return static_cast<std::int64_t>(loop->items.size());
  fail(fmt::format("object of type '{}' has no length", type_name(value)));
}

}  // namespace gladius::text::jinja
