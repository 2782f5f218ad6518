#include <fmt/format.h>

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

// Known where all lines have been read.
std::string bad_lines(const Json& part) {
  const Json lines = part.value("lines", Json()), examples = part.value("examples", Json());
  if (!is_complete(part) || !lines.is_number_integer() || !examples.is_number_integer()) return "-";
  return format_count(lines.get<std::int64_t>() - examples.get<std::int64_t>());
}

// "300 examples, 6,740 tokens"; packs have no number of examples that the steps say.
std::string learned_from(const RunRecord& record) {
  std::string text;
  if (!record.config.data.packing) {
    text = format_count(record.steps() * record.config.batch_size) + " examples";
  }
  if (const auto tokens = record.trained_tokens()) {
    text += fmt::format("{}{} tokens", text.empty() ? "" : ", ", format_count(*tokens));
  }
  return text;
}

}  // namespace

void add_data(Document& document, const RunRecord& record) {
  const Json train = record.data.value("train", Json()), eval = record.data.value("eval", Json());
  if (!train.is_object()) return;
  Table table{{"Data", "Training"}, {}, 1};
  if (eval.is_object()) table.header.emplace_back("Held out");
  constexpr std::pair<const char*, const char*> kRows[] = {
      {"Lines", "lines"},
      {"Examples", "examples"},
      {"Tokens", "tokens"},
      {"Tokens with a label", "labels"},
      {"Longest example, in tokens", "longest"},
      {"Cut to the max sequence length", "truncated"},
      {"Tokens cut off", "cut_tokens"},
      {"Labels lost by that", "lost_labels"},
      {"Examples without a label", "unlabelled"}};
  for (const auto& [name, key] : kRows) {
    table.rows.push_back({name, count(train, key)});
    if (eval.is_object()) table.rows.back().push_back(count(eval, key));
  }
  table.rows.push_back({"Bad lines left out", bad_lines(train)});
  if (eval.is_object()) table.rows.back().push_back(bad_lines(eval));
  document.push_back(std::move(table));
  if (!is_complete(train) || !is_complete(eval)) {
    document.push_back(
        Paragraph{"The data is larger than what is read at the start: below the first row these "
                  "are the counts of the examples that were read."});
  }
}

void add_data_section(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Data"});
  const std::string learned = learned_from(record);
  if (record.steps() > 0 && !learned.empty()) {
    document.push_back(Paragraph{fmt::format(
        "Trained on {} in {} steps; what is read again counts again. The files have:", learned,
        format_count(record.steps()))});
  }
  const std::size_t before = document.size();
  add_data(document, record);
  if (document.size() == before) document.push_back(Paragraph{"Not counted yet."});
}

}  // namespace gladius::train
