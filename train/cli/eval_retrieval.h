// What `gladius eval --retrieval` does.
#pragma once

#include <string>

#include "commands.h"
#include "eval_suite.h"
#include "gladius/train/behaviour/retrieval.h"

namespace gladius::cli {

struct RetrievalArguments {
  bool chosen = false;
  train::RetrievalOptions options;
};

/// `--retrieval` and what belongs to it; it excludes `--data` and `--suite`.
void add_retrieval_options(CLI::App& command, RetrievalArguments& arguments);

/// Asks the model for facts in long texts, and prints how many it finds. IoError, FormatError,
/// ConfigError.
void run_retrieval(const std::string& model, const std::string& adapter,
                   const RetrievalArguments& arguments, const SuiteArguments& suite,
                   const Common& common);

}  // namespace gladius::cli
