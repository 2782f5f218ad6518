#include "gladius/models/tokenizer/pre_tokenizers.h"

#include <string>
#include <utility>

#include "gladius/models/tokenizer/byte_level.h"
#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/metaspace.h"
#include "gladius/models/tokenizer/split.h"

namespace gladius {

PreTokenizer make_pre_tokenizer(const nlohmann::json& component) {
  if (component.is_null()) return {};
  const auto type = tokenizer_json::field<std::string>(component, "type", "pre_tokenizer");
  const std::string role = "pre_tokenizer " + type;
  if (type == "Sequence") {
    auto stages = tokenizer_json::sequence<PreTokenizer>(component, "pretokenizers", role,
                                                         make_pre_tokenizer);
    return [stages = std::move(stages)](Words words) {
      for (const PreTokenizer& stage : stages) words = stage(std::move(words));
      return words;
    };
  }
  if (type == "Split") return make_split(component, role);
  if (type == "ByteLevel") {
    return [stage = ByteLevel(component, role)](Words words) {
      return stage.pre_tokenize(std::move(words));
    };
  }
  if (type == "Metaspace") {
    return [stage = Metaspace(component, role)](Words words) {
      return stage.pre_tokenize(std::move(words));
    };
  }
  tokenizer_json::refuse("pre_tokenizer", type);
}

}  // namespace gladius
