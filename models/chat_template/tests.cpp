// The tests of `x is ...`.
#include <algorithm>
#include <unordered_map>

#include "gladius/models/chat_template/functions.h"
#include "gladius/models/chat_template/operations.h"
#include "gladius/models/chat_template/print.h"
#include "gladius/models/chat_template/text.h"

namespace gladius::text::jinja {
namespace {

// A test without arguments.
template <bool (*Holds)(const Value&)>
bool plain(Runtime&, const Value& value, Arguments arguments) {
  const Parameters given("test", {}, std::move(arguments));
  return Holds(value);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return std::holds_alternative<bool>(value.data()); }
bool is_true(const Value& value) { return is_boolean(value) && truthy(value); }
bool is_false(const Value& value) { return is_boolean(value) && !truthy(value); }
bool is_integer(const Value& value) { return std::holds_alternative<std::int64_t>(value.data()); }
bool is_float(const Value& value) { return std::holds_alternative<double>(value.data()); }
bool is_number(const Value& value) { return as_number(value).has_value(); }
bool is_string(const Value& value) { return value.text() != nullptr; }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
// What is undefined has a method for calls, which fails.
bool is_callable(const Value& value) { return value.is_undefined() || value.callable(); }
bool is_sequence(const Value& value) {
  return value.is_undefined() || value.text() || value.dict() ||
         (value.sequence() && value.sequence()->indexable());
}

template <int Rest>
bool has_parity(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("test", {}, std::move(arguments));
  return equal(runtime.budget, apply(runtime.budget, BinaryOperator::kModulo, value, Value(2)),
               Value(Rest));
}

bool is_divisible(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("divisibleby", {"num"}, std::move(arguments));
  return equal(runtime.budget, apply(runtime.budget, BinaryOperator::kModulo, value, given.at(0)),
               Value(0));
}

template <bool Wanted>
bool test_equal(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("test", {"other"}, std::move(arguments));
  return equal(runtime.budget, value, given.at(0)) == Wanted;
}

template <bool (*Holds)(std::partial_ordering)>
bool test_order(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("test", {"other"}, std::move(arguments));
  return Holds(order(runtime.budget, value, given.at(0)));
}

bool test_in(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("in", {"seq"}, std::move(arguments));
  return contains(runtime.budget, given.at(0), value);
}

// `is`: the same object; for values that have no identity, the same value of the same type.
bool test_same(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("sameas", {"other"}, std::move(arguments));
  if (value.sequence() || given.at(0).sequence()) return value.sequence() == given.at(0).sequence();
  if (value.dict() || given.at(0).dict()) return value.dict() == given.at(0).dict();
  return value.data().index() == given.at(0).data().index() &&
         equal(runtime.budget, value, given.at(0));
}

template <bool Upper>
bool test_case(Runtime& runtime, const Value& value, Arguments arguments) {
  const Parameters given("test", {}, std::move(arguments));
  return all_cased(to_text(runtime.budget, value), Upper);
}

}  // namespace

Test find_test(std::string_view name) {
  static const std::unordered_map<std::string_view, Test> tests{
      {"!=", test_equal<false>},
      {"<", test_order<std::is_lt>},
      {"<=", test_order<std::is_lteq>},
      {"==", test_equal<true>},
      {">", test_order<std::is_gt>},
      {">=", test_order<std::is_gteq>},
      {"boolean", plain<is_boolean>},
      {"callable", plain<is_callable>},
      {"defined", plain<is_defined>},
      {"divisibleby", is_divisible},
      {"eq", test_equal<true>},
      {"equalto", test_equal<true>},
      {"even", has_parity<0>},
      {"false", plain<is_false>},
      {"float", plain<is_float>},
      {"ge", test_order<std::is_gteq>},
      {"greaterthan", test_order<std::is_gt>},
      {"gt", test_order<std::is_gt>},
      {"in", test_in},
      {"integer", plain<is_integer>},
      {"iterable", plain<is_iterable>},
      {"le", test_order<std::is_lteq>},
      {"lessthan", test_order<std::is_lt>},
      {"lower", test_case<false>},
      {"lt", test_order<std::is_lt>},
      {"mapping", plain<is_mapping>},
      {"ne", test_equal<false>},
      {"none", plain<is_none>},
      {"number", plain<is_number>},
      {"odd", has_parity<1>},
      {"sameas", test_same},
      {"sequence", plain<is_sequence>},
      {"string", plain<is_string>},
      {"true", plain<is_true>},
      {"undefined", plain<is_undefined>},
      {"upper", test_case<true>},
  };
  const auto found = tests.find(name);
  return found == tests.end() ? nullptr : found->second;
}

}  // namespace gladius::text::jinja
