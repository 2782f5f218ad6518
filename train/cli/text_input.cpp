#include "text_input.h"

#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "support.h"

namespace gladius::cli {

void add_text_input(CLI::App& command, TextInput& input, const std::string& prompt_help,
                    const std::string& ids_help, bool required) {
  CLI::Option_group* group = command.add_option_group("prompt");
  input.prompt_option = group->add_option("--prompt", input.prompt, prompt_help);
  input.ids_option = group->add_option("--ids", input.ids, ids_help);
  group->require_option(required ? 1 : 0, 1);
}

std::vector<std::int32_t> read_tokens(const TextInput& input,
                                      const std::optional<text::Tokenizer>& tokenizer,
                                      std::int64_t vocab_size) {
  if (input.has_ids()) return checked_ids("--ids", parse_ids("--ids", input.ids), vocab_size);
  std::vector<std::int32_t> ids = tokenizer.value().encode(input.prompt);
  if (ids.empty()) throw ConfigError("--prompt: the text has no tokens");
  check_ids("--prompt", ids, vocab_size);
  return ids;
}

std::optional<text::Tokenizer> find_tokenizer(const ModelPaths& model, const Common& common) {
  if (!text::has_tokenizer(model.tokenizer)) return std::nullopt;
  return load_tokenizer(common, model.tokenizer);
}

}  // namespace gladius::cli
