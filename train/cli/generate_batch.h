// What `gladius generate --batch` does: a model writes data.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "answering.h"
#include "commands.h"
#include "gladius/models/generation/generate.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/train/behaviour/answers.h"
#include "gladius/train/behaviour/chat_prompts.h"

namespace gladius::cli {

struct BatchArguments {
  std::string prompts, out;  // files
  std::int64_t batch_size = 16;
  bool keep_cut = false;
};

void add_batch_options(CLI::App& command, BatchArguments& options);

/// A .jsonl file, a prompt a line: a conversation {"messages", "tools"}, of which an answer at the
/// end is to be given anew, or a text {"text"} that is to be continued. Other members stay as they
/// are.
class PromptFile {
 public:
  /// `directory` is the tokenizer's. IoError; FormatError "FILE:LINE: ..." for a line that is none
  /// of both, and for a file without lines; ConfigError for messages where there is no chat
  /// template.
  PromptFile(const std::filesystem::path& file, const std::filesystem::path& directory,
             const text::Tokenizer& tokenizer, const Common& common);

  const Prompts& prompts() const { return prompts_; }
  /// That end an answer in the chat template, if there is a conversation.
  std::vector<std::int32_t> stop_tokens();
  /// The prompt and its answer, as a line of a data file.
  std::string answered(std::size_t index, const train::Answer& answer) const;

 private:
  using Json = nlohmann::ordered_json;

  std::vector<std::int32_t> encode(Json& line);
  std::string continuation(std::size_t index, const train::Answer& answer) const;

  std::filesystem::path directory_;
  const text::Tokenizer& tokenizer_;
  const Common& common_;
  std::optional<train::ChatPrompts> chat_;  // when first needed
  std::vector<Json> lines_;
  Prompts prompts_;
};

/// Writes the answers in the order of the prompts, each as soon as those before it are there, and
/// says how many. IoError; ConfigError if the file is there already.
void write_answers(const BatchArguments& options, const PromptFile& prompts,
                   const LanguageModel& model, const text::Tokenizer& tokenizer,
                   const GenerateOptions& settings, const Common& common);

}  // namespace gladius::cli
