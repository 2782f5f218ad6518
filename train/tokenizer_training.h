// A tokenizer directory from data files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/tokenizer_trainer.h"

namespace gladius::train {

struct TokenizerTraining {
  text::TokenizerTrainerOptions trainer;
  std::vector<std::filesystem::path> data;  ///< as for_each_text takes them
  /// A chat template for the tokenizer ("": none). Conversations then are learnt as it renders
  /// them, cut at the special tokens; without one the contents of their messages are.
  std::filesystem::path chat_template;
  /// Leaves the pre-tokenizer out of tokenizer.json, as Llama's has none. Words are cut for the
  /// training alone then, as SentencePiece does: with the cutting of the kind "llama" ids are the
  /// same without it, with another expression a merge may join what stands on its two sides.
  bool no_pre_tokenizer = false;
  std::filesystem::path out;  ///< the directory; must not hold anything yet
};

struct TokenizerSummary {
  std::uint64_t bytes = 0;  ///< of the data files
  std::size_t words = 0;    ///< different ones
  std::size_t vocab_size = 0, merges = 0, special_tokens = 0;
};

/// Told of every part of the work that is done: "learns merges", 1000 of 32000.
using TokenizerProgress =
    std::function<void(const char* what, std::uint64_t done, std::uint64_t all)>;

/// Trains and writes the directory, whole or not at all: tokenizer.json, tokenizer_config.json,
/// special_tokens_map.json, chat_template.jinja. IoError, ConfigError, FormatError.
TokenizerSummary train_tokenizer(
    const TokenizerTraining& training,
    const TokenizerProgress& progress = [](const char*, std::uint64_t, std::uint64_t) {});

}  // namespace gladius::train
