#include "gladius/models/rope_parameters.h"

#include <algorithm>
#include <iterator>

#include "gladius/tensor/base/json_fields.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius {
namespace {

constexpr const char* kTypes[] = {"default", "linear", "dynamic", "yarn", "llama3"};

std::string known_types() {
  std::string known;
  for (const char* type : kTypes) known += fmt::format("{}{}", known.empty() ? "" : ", ", type);
  return known;
}

void require_whole_rotation(const JsonFields& fields) {
  if (fields.value_or("partial_rotary_factor", 1.0) != 1) {
    fields.fail("partial_rotary_factor is not supported");
  }
}

void read_scaling(const JsonFields& fields, const JsonFields& config, RopeParameters& rope) {
  rope.type =
      fields.value_or<std::string>("rope_type", fields.value_or<std::string>("type", "default"));
  if (std::ranges::find(kTypes, rope.type) == std::end(kTypes)) {
    fields.fail(fmt::format("rope_type {} is not supported (known: {})", in_quotes(rope.type),
                            known_types()));
  }
  rope.theta = fields.positive<double>("rope_theta", rope.theta);
  require_whole_rotation(fields);
  if (rope.type == "default") return;
  // DeepSeek's spelling of the older file: the length outside of the scaling's members.
  rope.original_max_position_embeddings = config.positive<std::int64_t>(
      "original_max_position_embeddings",
      fields.positive<std::int64_t>("original_max_position_embeddings",
                                    rope.max_position_embeddings));
  const double ratio = static_cast<double>(rope.max_position_embeddings) /
                       static_cast<double>(rope.original_max_position_embeddings);
  rope.factor = rope.type == "yarn" ? fields.positive<double>("factor", ratio)
                                    : fields.positive<double>("factor");
}

void read_yarn(const JsonFields& fields, RopeParameters& rope) {
  rope.attention_factor = fields.optional<double>("attention_factor");
  rope.mscale = fields.optional<double>("mscale");
  rope.mscale_all_dim = fields.optional<double>("mscale_all_dim");
  rope.beta_fast = fields.positive<double>("beta_fast", rope.beta_fast);
  rope.beta_slow = fields.positive<double>("beta_slow", rope.beta_slow);
  rope.truncate = fields.value_or("truncate", true);
}

}  // namespace

RopeParameters RopeParameters::parse(const JsonFields& config,
                                     std::int64_t max_position_embeddings) {
  RopeParameters rope;
  rope.theta = config.positive<double>("rope_theta", rope.theta);
  rope.max_position_embeddings = max_position_embeddings;
  rope.original_max_position_embeddings = max_position_embeddings;
  require_whole_rotation(config);
  // An empty object counts as none.
  const bool older = config.has("rope_scaling") && !config.at("rope_scaling").empty();
  const char* key = older ? "rope_scaling" : "rope_parameters";
  if (!config.has(key)) return rope;
  const JsonFields fields = config.nested(key);
  for (const char* layer_type : {"full_attention", "sliding_attention"}) {
    if (fields.has(layer_type)) fields.fail("settings by layer type are not supported");
  }
  read_scaling(fields, config, rope);
  if (rope.type == "yarn") read_yarn(fields, rope);
  if (rope.type == "llama3") {
    rope.low_freq_factor = fields.positive<double>("low_freq_factor");
    rope.high_freq_factor = fields.positive<double>("high_freq_factor");
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      fields.fail(fmt::format("high_freq_factor {} is not above low_freq_factor {}",
                              rope.high_freq_factor, rope.low_freq_factor));
    }
  }
  return rope;
}

}  // namespace gladius
