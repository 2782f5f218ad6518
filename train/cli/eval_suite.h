// What `gladius eval --suite` does.
#pragma once

#include <cstdint>
#include <string>

#include "commands.h"
#include "gladius/train/behaviour/answers.h"

namespace gladius::cli {

struct SuiteArguments {
  std::string file, answers;
  bool failures = false, constrained = false;
  std::int64_t max_new_tokens = train::kSuiteTokens;
  std::int64_t batch_size = train::kSuiteBatch;
};

/// Has the model answer the suite's cases, some at once, and prints how many are right.
/// IoError, FormatError, ConfigError.
void run_suite(const std::string& model, const std::string& adapter, const SuiteArguments& options,
               const Common& common);

}  // namespace gladius::cli
