#include <string>
#include <utility>

#include "gladius/tensor/base/text_format.h"
#include "sections.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// "1,260", or "-" where there is none.
std::string count(const Json& part, const char* key) {
  const Json value = part.is_object() ? part.value(key, Json()) : Json();
  return value.is_number_integer() ? format_count(value.get<std::int64_t>()) : "-";
}

bool is_complete(const Json& part) {
  return !part.is_object() || part.value("complete", Json(true)) != false;
}

}  // namespace

void add_data(Document& document, const RunRecord& record) {
  const Json train = record.data.value("train", Json()), eval = record.data.value("eval", Json());
  if (!train.is_object()) return;
  Table table{{"Data", "Training"}, {}, 1};
  if (eval.is_object()) table.header.emplace_back("Evaluation");
  constexpr std::pair<const char*, const char*> kRows[] = {
      {"Lines", "lines"},
      {"Examples", "examples"},
      {"Tokens", "tokens"},
      {"Tokens with a label", "labels"},
      {"Longest example, in tokens", "longest"},
      {"Cut to the max sequence length", "truncated"},
      {"Labels lost by that", "lost_labels"},
      {"Examples without a label", "unlabelled"}};
  for (const auto& [name, key] : kRows) {
    table.rows.push_back({name, count(train, key)});
    if (eval.is_object()) table.rows.back().push_back(count(eval, key));
  }
  document.push_back(std::move(table));
  if (!is_complete(train) || !is_complete(eval)) {
    document.push_back(
        Paragraph{"The data is larger than what is read at the start: below the first row these "
                  "are the counts of the examples that were read."});
  }
}

}  // namespace gladius::train
