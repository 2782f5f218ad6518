// Values of JSON compared: as Python compares them, and as JSON Schema does.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace gladius::train {

/// In Python True == 1 and False == 0; in JSON Schema a boolean equals booleans alone.
enum class Booleans { are_numbers, are_apart };

/// Whether two values are equal: numbers by what they are (1 is 1.0), lists by their elements in
/// order, objects by their members in any order.
bool equal_values(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b,
                  Booleans booleans);
/// Whether the list has an element that is equal to `value`.
bool has_value(const nlohmann::ordered_json& list, const nlohmann::ordered_json& value,
               Booleans booleans);

/// Whether it is the text "", which stands for "may be left out" among right values.
bool is_left_out(const nlohmann::ordered_json& value);

/// The text on one line, in quotes and not shortened: what a model wrote, whole.
std::string one_line(std::string_view text);

}  // namespace gladius::train
