#include "gladius/tensor/base/text_format.h"
#include "sections.h"

namespace gladius::train {
namespace {

Table environment(const RunRecord& record) {
  Table table{{"Component", "Value"}, {}};
  for (const auto& [key, value] : record.environment.items()) {
    if (key == "memory_bytes" && value.is_number_unsigned()) {
      table.rows.push_back({"memory", format_bytes(value.get<std::uint64_t>())});
    } else {
      table.rows.push_back({key, value.is_string() ? value.get<std::string>() : value.dump()});
    }
  }
  return table;
}

}  // namespace

Table identification(const RunRecord& record) {
  Table table{{"Field", "Value"}, {{"Name", record.name()}}};
  if (record.model) {
    table.rows.push_back({"Architecture", record.model->architecture});
    table.rows.push_back(
        {"Parameters", format_count(make_language_model(*record.model)->num_parameters())});
  }
  table.rows.push_back({"Framework", "Gladius"});
  table.rows.push_back({"Precision", record.config.precision == PrecisionChoice::bf16
                                         ? "float32, products of bfloat16 operands"
                                         : "float32"});
  table.rows.push_back({"File format", "SafeTensors"});
  return table;
}

void add_identification(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Identification"});
  document.push_back(identification(record));
  document.push_back(Heading{2, "Hardware"});
  if (record.environment.empty()) {
    document.push_back(Paragraph{"Not recorded yet."});
  } else {
    document.push_back(environment(record));
  }
}

}  // namespace gladius::train
