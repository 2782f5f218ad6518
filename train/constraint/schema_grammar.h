// The grammars of answers: JSON of a schema, calls of tools.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "gladius/train/constraint/grammar.h"

namespace gladius::train {

/// JSON that fits the schema, as nothing else (white space may come first). What may be written is
/// a part of what fits:
/// - members come in any order, each name once; those that `properties` does not name come where
///   `additionalProperties` allows them, or where there are no `properties`;
/// - numbers have at most 15 digits, and without bounds perhaps an exponent of two; texts have no
///   escaped surrogates, and `<\/` for `</`; values of `enum` and `const` come without white space;
/// - texts with a `pattern` are those that regular_automaton() knows to match;
/// - values of any kind lie at most 8 deep in each other;
/// - between other parts there may be a space, or a newline with up to 16 spaces.
///
/// FormatError as require_supported_schema(), and naming what an answer cannot be constrained to:
/// what is not regular in a `pattern` (but beside `enum` and `const`), keywords beside an `anyOf`
/// that has them too, more than 64 properties, bounds of more than 15 digits, texts that are longer
/// than 10,000 bytes at least; and where nothing that may be written fits.
Grammar grammar_of_schema(const nlohmann::ordered_json& schema);

/// How a call is written.
enum class CallForm {
  plain,       // {"name": ..., "arguments": {...}}
  tagged,      // the same within <tool_call>, as Qwen and Hermes do
  behind_tag,  // what comes behind <tool_call>, the end of the tag included
};

/// A call of one of the tools, of a list as parse_tools() gives, with arguments that fit its
/// parameters; read_calls() reads it. FormatError for no tools, for one without a name, and as
/// grammar_of_schema(), with the tool's name.
Grammar grammar_of_calls(const nlohmann::ordered_json& tools, CallForm form);

/// The form that a prompt with the tools tells the model to write.
CallForm call_form_of(std::string_view prompt);

}  // namespace gladius::train
