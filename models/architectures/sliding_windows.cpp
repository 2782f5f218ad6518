#include <fmt/format.h>

#include "gladius/models/architectures/architecture.h"

namespace gladius {

void read_sliding_windows(const JsonFields& fields, ModelConfig& config) {
  if (!fields.value_or("use_sliding_window", false) || !fields.has("sliding_window")) return;
  const std::int64_t window = fields.positive("sliding_window");
  const std::int64_t first = fields.value_or<std::int64_t>("max_window_layers", 28);
  const auto layers = static_cast<std::size_t>(config.num_hidden_layers);
  const JsonFields::Json types =
      fields.has("layer_types") ? fields.at("layer_types") : JsonFields::Json();
  if (!types.is_null() && (!types.is_array() || types.size() != layers)) {
    fields.fail(fmt::format("\"layer_types\" is not a list of {} names", layers));
  }
  for (std::size_t i = 0; i < layers; ++i) {
    if (!types.is_null() && types[i] != "full_attention" && types[i] != "sliding_attention") {
      fields.fail(
          fmt::format("layer_types: {} is not supported (known: full_attention, "
                      "sliding_attention)",
                      shown(types[i])));
    }
    const bool slides =
        types.is_null() ? static_cast<std::int64_t>(i) >= first : types[i] == "sliding_attention";
    config.attention_windows.push_back(slides ? window : 0);
  }
}

}  // namespace gladius
