// Whether a call's arguments are right: the rules of the Berkeley Function Calling Leaderboard.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace gladius::train {

/// What a call should be.
struct ExpectedCall {
  std::string name;
  /// For each parameter the list of its right values; "" in the list: it may be left out. A right
  /// value that is an object has such a list for each of its members.
  nlohmann::ordered_json arguments;
  /// The tool's own "parameters": an object of JSON Schema with "properties" and "required". Null
  /// where the case has no tools; then the types are those of the right values.
  nlohmann::ordered_json parameters;
};

/// Why the arguments are not right, or "" if they are.
///
/// As bfcl_eval's ast_checker.py (simple_function_checker, Python) judges one call:
/// - no required parameter is missing; each argument is a parameter of the tool and has right
///   values; what has right values is given, unless "" is among them;
/// - an argument has the type of its parameter (a whole number serves for "number", but not 1.0 for
///   "integer"), or else the type of the first right value, as which it then has to be equal;
/// - texts are equal without spaces and `,./-_*^`, in lower case, both quotes alike; so are those
///   within lists and among the members of objects;
/// - a list has the elements of a right list, of the type of "items" or of the right list's first;
/// - an object has members of a right object alone, and all of them but those that may be left out;
///   in a list of objects each one in its place;
/// - numbers and booleans are equal as Python's.
/// Lists in lists and objects in objects have to be equal as they stand. A parameter without a
/// single "type" takes the type of its right values.
std::string fault_of_arguments(const nlohmann::ordered_json& arguments,
                               const ExpectedCall& expected);

/// Whether the rules know the type, a parameter's or its items' "type" (JSON Schema's names and
/// BFCL's: float, dict, tuple, any).
bool is_known_type(const std::string& type);

/// The text as texts are compared.
std::string standardized(const std::string& text);

/// Arguments that are right if any are: of each parameter the first value that is not "".
nlohmann::ordered_json right_arguments(const ExpectedCall& expected);

}  // namespace gladius::train
