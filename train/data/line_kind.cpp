#include "gladius/train/data/line_kind.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKinds[] = {"text", "messages", "input_ids"};

// The line's first keys, and what becomes of those that other programs read.
std::string describe_keys(const Json& line) {
  constexpr std::size_t kShown = 6;
  std::string keys;
  std::size_t count = 0;
  for (const auto& [key, value] : line.items()) {
    if (++count <= kShown)
      keys += (count == 1 ? "" : ", ") + in_quotes(shortened(key).substr(0, 40));
  }
  if (count == 0) return "";
  return fmt::format(
      " (its keys are {}{}); a prompt with its answer is {{\"messages\": "
      "[{{\"role\": \"user\", \"content\": ...}}, {{\"role\": \"assistant\", ...}}]}}",
      keys, count > kShown ? ", ..." : "");
}

}  // namespace

bool has_column(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && !found->is_null();
}

LineKind kind_of_line(const Json& line) {
  if (!line.is_object()) throw FormatError("expected a JSON object");
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (has_column(line, kKinds[i])) found.push_back(i);
  }
  if (found.size() == 1) return static_cast<LineKind>(found[0]);
  throw FormatError(
      fmt::format("expected one of \"text\", \"messages\" and \"input_ids\", found {}",
                  found.empty() ? "none" + describe_keys(line) : "several"));
}

}  // namespace gladius::train
