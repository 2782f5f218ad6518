// Python's operators, subscripts and attributes on values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gladius/models/chat_template/value.h"

namespace gladius::text::jinja {

enum class BinaryOperator { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };

enum class CompareOperator { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

/// Fails where Python does, and where an integer leaves 64 bits.
Value apply(Budget& budget, BinaryOperator op, const Value& a, const Value& b);
Value negate(const Value& value);
bool compare(Budget& budget, CompareOperator op, const Value& a, const Value& b);

/// object.name: an attribute or method, else the element of that name, else undefined.
Value get_attribute(const Value& object, const std::string& name);
/// object[key]: the element, else the attribute of that name, else undefined.
Value get_item(const Value& object, const Value& key);
/// object[start:stop:step] with Python's rules; nothing stands for a part left out. Fails
/// for what is no string, list or tuple.
Value get_slice(Budget& budget, const Value& object, std::optional<std::int64_t> start,
                std::optional<std::int64_t> stop, std::optional<std::int64_t> step);

/// Fails for names that transformers forbids.
void set_attribute(Namespace& object, const std::string& name, Value value);

/// len(); fails for what has none.
std::int64_t length(Budget& budget, const Value& value);

/// Throws what using the undefined value means, if it is one.
void require_defined(const Value& value);

}  // namespace gladius::text::jinja
