// Values checked against JSON Schemas.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace gladius::train {

/// FormatError naming the keyword and its place for a schema that is malformed, or that uses what
/// is not supported. Supported are
/// - type (a name or a list), enum, const, anyOf;
/// - properties, required, additionalProperties, minProperties, maxProperties;
/// - items (one schema), minItems, maxItems;
/// - minLength, maxLength (in characters), pattern (PCRE2, matched anywhere);
/// - minimum, maximum, exclusiveMinimum, exclusiveMaximum;
/// - true and false as schemas; and title, description, default, examples, $schema and $comment,
///   which check nothing.
void require_supported_schema(const nlohmann::ordered_json& schema);

/// Whether it is a keyword that checks nothing: what says something to people.
bool is_note(std::string_view keyword);

/// Why the value does not fit the schema (of require_supported_schema) and where in it, or "" if it
/// does. As JSON Schema says: 1.0 is an integer, true is not 1, keywords of other types hold.
std::string fault_by_schema(const nlohmann::ordered_json& schema,
                            const nlohmann::ordered_json& value);

/// A value that fits, if a simple one does: constants, the first of choices, least sizes. Nothing
/// where that does not fit (texts of a pattern, say).
std::optional<nlohmann::ordered_json> example_of_schema(const nlohmann::ordered_json& schema);

}  // namespace gladius::train
