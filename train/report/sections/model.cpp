#include <fmt/format.h>

#include <map>

#include "gladius/tensor/base/text_format.h"
#include "gladius/train/report/model_tables.h"
#include "gladius/train/run/memory.h"
#include "sections.h"

namespace gladius::train {
namespace {

constexpr std::string_view kLayerNames = "model.layers.";

Table table_of(TableRows rows, std::size_t numbers_from) {
  Table table{rows.front(), {}, numbers_from};
  table.rows.assign(std::make_move_iterator(rows.begin() + 1), std::make_move_iterator(rows.end()));
  return table;
}

std::string attention(const ModelConfig& model) {
  const std::int64_t queries = model.num_attention_heads, keys = model.num_key_value_heads;
  if (queries == keys) return fmt::format("{} heads of {}", queries, model.head_dim);
  return fmt::format("grouped queries: {} heads of {} on {} key/value heads ({} to 1)", queries,
                     model.head_dim, keys, queries / keys);
}

std::string positions(const RopeParameters& rope) {
  return fmt::format(
      "rotary, theta {}, {}, up to {}", rope.theta,
      rope.type == "default" ? "not scaled" : fmt::format("{} by {}", rope.type, rope.factor),
      format_count(rope.max_position_embeddings));
}

void add_weightless(Document& document, const RunRecord& record) {
  document.push_back(
      Paragraph{fmt::format("No weights are written yet. The first checkpoint comes after step {}.",
                            format_count(record.config.checkpoint_every))});
}

void add_parameters(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Parameter breakdown"});
  if (record.weights.empty() || !record.model) return add_weightless(document, record);
  const Components parts = count_components(entries_of(record.weights));
  document.push_back(table_of(component_rows(*record.model, parts), 3));
  document.push_back(table_of(layer_rows(parts), 2));
}

Table weight_files(const RunRecord& record) {
  Table table{{"File", "Size", "Metadata", "Tensors", "Data type"}, {}};
  for (std::size_t i = 0; i < record.weights.size(); ++i) {
    const SafetensorsFile& file = record.weights[i];
    table.rows.push_back(
        {record.weight_files[i].name,
         fmt::format("{} bytes ({})", format_count(static_cast<std::int64_t>(file.file_size())),
                     format_bytes(file.file_size())),
         metadata_of(file), format_count(std::ssize(file.entries())), types_of(file.entries())});
  }
  return table;
}

// As sha256sum prints them, so that it can check them in the run directory.
CodeBlock checksums(const RunRecord& record) {
  std::string lines;
  for (const WeightFile& file : record.weight_files) {
    lines += fmt::format("{}{}  {}", lines.empty() ? "" : "\n", file.sha256, file.name);
  }
  return {"", lines};
}

// "model.layers.3.mlp.up_proj.weight" -> "model.layers.{i}.mlp.up_proj.weight"
std::string without_layer(const std::string& name) {
  if (!name.starts_with(kLayerNames)) return name;
  const std::size_t end = name.find('.', kLayerNames.size());
  return end == std::string::npos ? name : fmt::format("{}{{i}}{}", kLayerNames, name.substr(end));
}

// The layers' equal tensors are one row.
Table manifest(const RunRecord& record) {
  std::map<std::pair<std::string, std::string>, std::int64_t> counts;
  Table table{{"Tensor", "Shape", "Count", "Parameters each", "Size each"}, {}, 2};
  for (const SafetensorsFile& file : record.weights) {
    for (const SafetensorsEntry& entry : file.entries()) {
      const auto key = std::pair(without_layer(entry.name), to_string(entry.shape));
      if (counts[key]++ > 0) continue;
      table.rows.push_back({key.first, key.second, "", format_count(numel(entry.shape)),
                            format_bytes(entry.end - entry.begin)});
    }
  }
  for (auto& row : table.rows) row[2] = format_count(counts[{row[0], row[1]}]);
  return table;
}

void add_memory(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Memory"});
  if (!record.model) return;
  const auto model = make_language_model(*record.model);
  document.push_back(table_of(memory_rows(*model, model->num_parameters()), 1));
  document.push_back(Paragraph{fmt::format(
      "Estimates for one sequence of {} tokens. Training: weights and gradients in the precision, "
      "AdamW's moments in float32, activations.",
      kEstimatedTokens)});
}

}  // namespace

Table architecture(const ModelConfig& model) {
  return {
      {"Part", "Is"},
      {{"Layers", fmt::format("{} of hidden size {}", model.num_hidden_layers,
                              format_count(model.hidden_size))},
       {"Attention", attention(model)},
       {"MLP", fmt::format("SwiGLU, {} to {} and back ({:.2f} x hidden)",
                           format_count(model.hidden_size), format_count(model.intermediate_size),
                           static_cast<double>(model.intermediate_size) /
                               static_cast<double>(model.hidden_size))},
       {"Positions", positions(model.rope)},
       {"Norm", fmt::format("RMSNorm before attention, before the MLP and at the end, epsilon {}",
                            model.rms_norm_eps)},
       {"Vocabulary", fmt::format("{}, embedding and head {}", format_count(model.vocab_size),
                                  model.tie_word_embeddings ? "tied" : "not tied")}}};
}

void add_model(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Model architecture"});
  if (record.model) {
    document.push_back(architecture(*record.model));
    document.push_back(Collapsed{"config.json", CodeBlock{"json", record.model->source.dump(2)}});
  } else {
    document.push_back(Paragraph{"student_config.json cannot be read."});
  }
  add_parameters(document, record);
  add_memory(document, record);
}

void add_weights(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Safetensors analysis"});
  if (record.weights.empty()) return add_weightless(document, record);
  if (!record.complete) {
    document.push_back(Paragraph{"The newest checkpoint's weights; training goes on."});
  }
  document.push_back(weight_files(record));
  document.push_back(Heading{3, "SHA-256"});
  document.push_back(checksums(record));
  document.push_back(Heading{3, "Manifest"});
  document.push_back(manifest(record));
}

}  // namespace gladius::train
