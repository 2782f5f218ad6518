#include "gladius/train/report/model_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "gladius/tensor/base/text_format.h"
#include "gladius/tensor/shape.h"

namespace gladius::train {

TableRows component_rows(const ModelConfig& config, const Components& parts) {
  const std::string V = format_count(config.vocab_size), C = format_count(config.hidden_size);
  TableRows rows{{"component", "formula", "sizes", "parameters"},
                 {"embedding", "vocab x hidden", V + " x " + C, format_count(parts.embedding)}};
  rows.push_back({"LM head", "hidden x vocab", C + " x " + V,
                  parts.head > 0 ? format_count(parts.head) : "tied"});
  rows.push_back({"final norm", "hidden", C, format_count(parts.final_norm)});
  rows.push_back({"per layer", "(see below)", "", format_count(parts.per_layer)});
  rows.push_back({fmt::format("{} layers", parts.num_layers),
                  fmt::format("{} x per layer", parts.num_layers), "", format_count(parts.layers)});
  if (parts.other > 0) rows.push_back({"other", "", "", format_count(parts.other)});
  rows.push_back({"total", "", "", format_count(parts.total())});
  return rows;
}

TableRows layer_rows(const Components& parts) {
  TableRows rows{{"in a layer", "shape", "parameters"}};
  for (const SafetensorsEntry& entry : parts.first_layer) {
    rows.push_back({entry.name.substr(std::string_view("model.layers.0.").size()),
                    to_string(entry.shape), format_count(numel(entry.shape))});
  }
  rows.push_back({"layer total", "", format_count(parts.per_layer)});
  return rows;
}

TableRows memory_rows(const LanguageModel& model, std::int64_t parameters) {
  TableRows rows{{"precision", "model size", "inference", "training"}};
  for (const StoragePrecision& precision : kPrecisions) {
    const auto about = [](const MemoryNeed& need) { return "~" + format_bytes(need.required()); };
    const std::uint64_t weights = precision.bytes(parameters);
    rows.push_back({precision.name, format_bytes(weights),
                    about(inference_memory(model, weights, kEstimatedTokens)),
                    precision.trains ? about(training_memory(model, parameters, precision.bits / 8,
                                                             kEstimatedTokens))
                                     : "n/a"});
  }
  return rows;
}

std::string types_of(const std::vector<SafetensorsEntry>& entries) {
  std::map<std::string_view, std::string> types;
  for (const SafetensorsEntry& entry : entries) {
    const std::int64_t count = std::max<std::int64_t>(numel(entry.shape), 1);
    types[entry.dtype.name] =
        fmt::format("{} ({:.3g} bytes a parameter)", entry.dtype.name,
                    static_cast<double>(entry.end - entry.begin) / static_cast<double>(count));
  }
  std::string text;
  for (const auto& [name, described] : types) text += (text.empty() ? "" : ", ") + described;
  return text;
}

std::string metadata_of(const SafetensorsFile& file) {
  std::string text;
  for (const auto& [key, value] : file.metadata())
    text += fmt::format("{}{}: \"{}\"", text.empty() ? "" : ", ", key, value);
  return text.empty() ? "no metadata" : text;
}

}  // namespace gladius::train
