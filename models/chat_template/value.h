// The values of a template: Python's, as far as JSON data and Jinja make them.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "gladius/models/chat_template/limits.h"

namespace gladius::text::jinja {

struct Sequence;
class Dict;
struct Namespace;
struct Callable;
struct Loop;

/// Prints as nothing and is false; most other uses fail with the reason.
struct Undefined {
  std::shared_ptr<const std::string> why;
};

/// A cheap handle. Values do not change (the sandbox forbids it), except namespaces.
class Value {
 public:
  using Text = std::shared_ptr<const std::string>;
  using Variant = std::variant<std::nullptr_t, Undefined, bool, std::int64_t, double, Text,
                               std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>,
                               std::shared_ptr<Namespace>, std::shared_ptr<const Callable>,
                               std::shared_ptr<const Loop>>;

  Value() = default;  // None
  template <std::same_as<bool> T>
  Value(T value) : data_(value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Value(T value) : data_(static_cast<std::int64_t>(value)) {}
  Value(double value) : data_(value) {}
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  template <class T>
  requires(std::constructible_from<Variant, T> && !std::is_arithmetic_v<T>) explicit Value(T value)
      : data_(std::move(value)) {}

  static Value undefined(std::string why) {
    return Value(Undefined{std::make_shared<const std::string>(std::move(why))});
  }

  bool is_none() const { return std::holds_alternative<std::nullptr_t>(data_); }
  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  const std::string* text() const { return pointee<const std::string>(); }
  const Sequence* sequence() const { return pointee<const Sequence>(); }
  const Dict* dict() const { return pointee<const Dict>(); }
  Namespace* name_space() const { return pointee<Namespace>(); }
  const Callable* callable() const { return pointee<const Callable>(); }
  const Loop* loop() const { return pointee<const Loop>(); }
  const Variant& data() const { return data_; }

 private:
  template <class T>
  T* pointee() const {
    const auto* pointer = std::get_if<std::shared_ptr<T>>(&data_);
    return pointer ? pointer->get() : nullptr;
  }

  Variant data_ = nullptr;
};

using Values = std::vector<Value>;

/// Python's types that differ in little but how they print and what they allow.
enum class SequenceKind { kList, kTuple, kRange, kDictKeys, kDictValues, kDictItems, kIterator };

struct Sequence {
  SequenceKind kind;
  Values items;
  int depth;
  mutable bool consumed = false;  // an iterator runs once

  bool indexable() const { return kind <= SequenceKind::kRange; }
};

/// Keeps the order of insertion. Keys are None, booleans, numbers and strings.
class Dict {
 public:
  static bool can_be_key(const Value& value);
  /// Only while the dict is made. Fails for keys of other types.
  void set(Value key, Value value);
  /// nullptr when there is none.
  const Value* find(const Value& key) const;
  const std::vector<std::pair<Value, Value>>& items() const { return items_; }
  int depth() const { return depth_; }

 private:
  struct Hash {
    std::size_t operator()(const Value& key) const;
  };
  struct Equal {
    bool operator()(const Value& a, const Value& b) const;
  };
  std::vector<std::pair<Value, Value>> items_;
  std::unordered_map<Value, std::size_t, Hash, Equal> index_;
  int depth_ = 1;
};

struct Namespace {
  std::map<std::string, Value, std::less<>> attributes;
};

/// The elements of a value; owns what it runs over.
class Elements {
 public:
  Elements(Values values) : values_(std::make_shared<const Values>(std::move(values))) {}
  Elements(std::shared_ptr<const Values> values) : values_(std::move(values)) {}

  auto begin() const { return values_->begin(); }
  auto end() const { return values_->end(); }
  std::size_t size() const { return values_->size(); }
  bool empty() const { return values_->empty(); }
  const Value& operator[](std::size_t index) const { return (*values_)[index]; }
  const Values& values() const { return *values_; }

 private:
  std::shared_ptr<const Values> values_;
};

/// The loop variable of one `for`.
struct Loop {
  Elements items;
  std::size_t index;
};

struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// What one rendering owns.
struct Runtime {
  Budget budget;
  // Namespaces can hold one another; they are emptied when the rendering ends.
  std::vector<std::shared_ptr<Namespace>> namespaces;
};

struct Callable {
  std::string name;
  std::function<Value(Runtime&, Arguments)> call;
};

Value make_sequence(Values items, SequenceKind kind = SequenceKind::kList);
Value make_dict(Dict dict);
Value from_json(Budget& budget, const nlohmann::ordered_json& json, int depth = 0);

/// Python's name of the value's type.
std::string type_name(const Value& value);
bool truthy(const Value& value);
/// Python's ==; lists and dicts by their elements.
bool equal(Budget& budget, const Value& a, const Value& b);
/// Counts the reading of the value's text, if it is a string.
void charge_text(Budget& budget, const Value& value);
/// Python's order; fails for types that have none.
std::partial_ordering order(Budget& budget, const Value& a, const Value& b);
/// Fails for what Python cannot hash: lists, dicts and their views, and tuples that hold some.
void require_hashable(Budget& budget, const Value& value);
/// Python's `needle in haystack`.
bool contains(Budget& budget, const Value& haystack, const Value& needle);
/// The elements that a `for` over the value meets; fails for what cannot be iterated over.
Elements iterate(Budget& budget, const Value& value);
bool is_iterable(const Value& value);

/// The integer in a boolean or an integer, else nothing.
std::optional<std::int64_t> as_integer(const Value& value);
/// The number in a boolean, integer or float, else nothing.
std::optional<double> as_number(const Value& value);

}  // namespace gladius::text::jinja
