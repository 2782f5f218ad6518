// The calls of tools in a model's answer.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace gladius::train {

/// What stands around a call, as Qwen and Hermes write it.
inline constexpr std::string_view kOpenCall = "<tool_call>", kCloseCall = "</tool_call>";

struct Call {
  std::string name;
  nlohmann::ordered_json arguments;  // an object
};

/// The calls that the answer makes, in the forms that chat templates have models write:
/// - `<tool_call>{...}</tool_call>` (Qwen, Hermes), one or more, with any text around them; the
/// last
///   may lack its end;
/// - one object and nothing else, be it within a code fence or behind `[TOOL_CALLS]` or
///   `<|python_tag|>` (Llama, Gladius' default student), or a list of them (Mistral);
/// - Python and nothing else, `[f(a=1), g(b="x")]` (python_calls.h).
/// An object is `{"name": ..., "arguments": {...}}`, or with "parameters" for "arguments" (Llama),
/// or OpenAI's `{"function": {...}}`; the arguments may be JSON text. Other members are passed
/// over. Empty where the answer makes no call, and where any part of one cannot be read.
std::vector<Call> read_calls(std::string_view answer);

}  // namespace gladius::train
