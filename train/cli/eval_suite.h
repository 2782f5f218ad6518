// What `gladius eval --suite` does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "answering.h"
#include "commands.h"
#include "gladius/models/generation/generate.h"
#include "gladius/train/behaviour/answers.h"
#include "gladius/train/behaviour/chat_prompts.h"
#include "gladius/train/behaviour/suite_evaluation.h"

namespace gladius::cli {

struct SuiteArguments {
  std::string file, answers;
  bool failures = false, constrained = false;
  std::optional<std::int64_t> max_new_tokens;
  std::int64_t batch_size = train::kSuiteBatch;
};

/// How cases are answered: greedily, to the model's own end of a turn.
GenerateOptions suite_settings(const ModelPaths& paths, const LanguageModel& model,
                               train::ChatPrompts& chat, std::int64_t max_new_tokens,
                               const Common& common);

/// Answers the suite's cases, some at once, and judges them.
train::SuiteEvaluation answer_suite(const train::Suite& suite, const Prompts& prompts,
                                    const LanguageModel& model, const text::Tokenizer& tokenizer,
                                    const GenerateOptions& settings, std::int64_t batch_size,
                                    const Common& common);

/// The cases that are not right, with the model's output.
void print_failures(const train::Suite& suite, const train::SuiteEvaluation& evaluation);

/// Has the model answer the suite's cases, some at once, and prints how many are right.
/// IoError, FormatError, ConfigError.
void run_suite(const std::string& model, const std::string& adapter, const SuiteArguments& options,
               const Common& common);

}  // namespace gladius::cli
