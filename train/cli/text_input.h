// The one sequence that a command works on: `--prompt TEXT` or `--ids 1,2,3`.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius::cli {

struct TextInput {
  std::string prompt, ids;
  CLI::Option* prompt_option = nullptr;
  CLI::Option* ids_option = nullptr;

  bool has_prompt() const { return prompt_option->count() > 0; }
  bool has_ids() const { return ids_option->count() > 0; }
};

/// Adds the two options. A command line gives one of them, or none unless `required`.
void add_text_input(CLI::App& command, TextInput& input, const std::string& prompt_help,
                    const std::string& ids_help, bool required);

/// The tokens, in the model's vocabulary. ConfigError for ids outside of it, lists that are none,
/// and a prompt without tokens or without a tokenizer.
std::vector<std::int32_t> read_tokens(const TextInput& input,
                                      const std::optional<text::Tokenizer>& tokenizer,
                                      std::int64_t vocab_size);

/// The model's tokenizer, if it has one, with a warning of each of its notes.
std::optional<text::Tokenizer> find_tokenizer(const ModelPaths& model, const Common& common);

}  // namespace gladius::cli
