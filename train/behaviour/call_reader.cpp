#include "gladius/train/behaviour/call_reader.h"

#include <optional>
#include <utility>

#include "gladius/train/behaviour/answer_text.h"
#include "gladius/train/behaviour/python_calls.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kMarkers[] = {"[TOOL_CALLS]", "<|python_tag|>"};

// The member of the first of these names.
const Json* find_member(const Json& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const auto member = object.find(name); member != object.end()) return &*member;
  }
  return nullptr;
}

std::optional<Json> read_arguments(const Json& value) {
  if (value.is_object()) return value;
  if (!value.is_string()) return std::nullopt;
  const auto parsed = read_json_answer(value.get_ref<const std::string&>());
  return parsed && parsed->is_object() ? parsed : std::nullopt;
}

std::optional<Call> read_call(const Json& value) {
  if (!value.is_object()) return std::nullopt;
  const Json* const function = find_member(value, {"function"});
  const Json& object = function != nullptr && function->is_object() ? *function : value;
  const Json* const name = find_member(object, {"name"});
  const Json* const arguments = find_member(object, {"arguments", "parameters"});
  if (name == nullptr || !name->is_string() || arguments == nullptr) return std::nullopt;
  auto read = read_arguments(*arguments);
  if (!read) return std::nullopt;
  return Call{name->get<std::string>(), *std::move(read)};
}

// A text that is one call or a list of calls; adds them and says whether it was.
bool add_calls(std::string_view text, std::vector<Call>& calls) {
  const auto value = read_json_answer(text);
  if (!value) return false;
  const auto add = [&](const Json& element) {
    auto call = read_call(element);
    if (call) calls.push_back(*std::move(call));
    return call.has_value();
  };
  if (!value->is_array()) return add(*value);
  for (const Json& element : *value) {
    if (!add(element)) return false;
  }
  return true;
}

// Every <tool_call> of the text.
bool add_marked_calls(std::string_view text, std::vector<Call>& calls) {
  for (std::size_t open; (open = text.find(kOpenCall)) != text.npos;) {
    text.remove_prefix(open + kOpenCall.size());
    const std::size_t close = text.find(kCloseCall);
    if (!add_calls(text.substr(0, close), calls)) return false;
    if (close == text.npos) break;
    text.remove_prefix(close + kCloseCall.size());
  }
  return true;
}

}  // namespace

std::vector<Call> read_calls(std::string_view answer) {
  std::string_view text = without_thoughts(answer);
  for (const std::string_view marker : kMarkers) {
    if (text.starts_with(marker)) text.remove_prefix(marker.size());
  }
  std::vector<Call> calls;
  if (add_calls(text, calls)) return calls;  // with marks, perhaps, within its texts
  calls.clear();
  if (!add_marked_calls(text, calls)) return {};
  if (!calls.empty()) return calls;
  return read_python_calls(text).value_or(std::vector<Call>());
}

}  // namespace gladius::train
