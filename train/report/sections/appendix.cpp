#include <fmt/format.h>

#include "gladius/tensor/base/text_format.h"
#include "sections.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

Table model_files(const RunRecord& record) {
  Table table{{"File", "Size"}, {}, 1};
  for (const ModelFile& file : record.model_files) {
    table.rows.push_back({"model/" + file.name, format_bytes(file.bytes)});
  }
  return table;
}

Table tensor_list(const RunRecord& record) {
  Table table{{"Tensor", "Type", "Shape", "Parameters", "Size"}, {}, 3};
  for (const SafetensorsFile& file : record.weights) {
    for (const SafetensorsEntry& entry : file.entries()) {
      table.rows.push_back({entry.name, std::string(entry.dtype.name), to_string(entry.shape),
                            format_count(numel(entry.shape)),
                            format_bytes(entry.end - entry.begin)});
    }
  }
  return table;
}

std::string raw_losses(const RunRecord& record) {
  Json raw{{"step", Json::array()},
           {"loss", Json::array()},
           {"loss_running_mean", Json::array()},
           {"loss_window_mean", Json::array()}};
  for (const StepRecord* step : logged_steps(record)) {
    raw["step"].push_back(step->step);
    raw["loss"].push_back(step->loss);
    raw["loss_running_mean"].push_back(step->loss_running_mean);
    raw["loss_window_mean"].push_back(step->loss_window_mean);
  }
  return raw.dump();
}

}  // namespace

void add_appendix(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Files"});
  if (record.complete) {
    document.push_back(model_files(record));
  } else {
    document.push_back(Paragraph{"The model directory model/ is written when training ends."});
  }
  document.push_back(Heading{2, "Complete tensor list"});
  Table tensors = tensor_list(record);
  document.push_back(
      Collapsed{format_count(std::ssize(tensors.rows)) + " tensors", std::move(tensors)});
  document.push_back(Heading{2, "Raw loss data"});
  document.push_back(Collapsed{
      fmt::format("Every {} steps and the last; metrics.jsonl has all", record.config.log_every),
      CodeBlock{"json", raw_losses(record)}});
}

}  // namespace gladius::train
