// What commands need that have a model answer many prompts.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bar.h"
#include "commands.h"
#include "gladius/models/language_model.h"
#include "gladius/models/model_directory.h"

namespace gladius::cli {

using Prompts = std::vector<std::vector<std::int32_t>>;

/// Adds `--batch-size`, how many answers are generated at once.
CLI::Option* add_batch_size_option(CLI::App& command, std::int64_t& batch_size);

/// Of all prompts before the work begins: ConfigError naming `option` for ids outside of the
/// vocabulary, Error for a prompt that does not fit the memory, a warning of texts that are longer
/// than the model is made for.
void check_prompts(const std::string& option, const Prompts& prompts, const LanguageModel& model,
                   std::int64_t max_new_tokens, const Common& common);

/// Adds to the tokens that end an answer those of the chat template, with a warning if there are
/// none.
void add_stop_tokens(std::vector<std::int32_t>& eos_token_ids,
                     const std::vector<std::int32_t>& of_template, const Common& common);

/// "case 3/12  40 s left" with a bar, where there is a terminal.
class CountProgress {
 public:
  CountProgress(std::string what, std::size_t total, const Common& common);
  /// One more is done.
  void done();

 private:
  void draw();

  std::string what_;
  std::int64_t total_, done_ = 0;
  bool draws_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Bar bar_;
};

}  // namespace gladius::cli
