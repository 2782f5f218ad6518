// A GGUF file's tokenizer as the files that Hugging Face has for it.
#pragma once

#include <nlohmann/json.hpp>

#include "gladius/models/gguf/file.h"

namespace gladius::gguf {

/// Whether the file has a tokenizer.
bool has_tokenizer(const File& file);

/// The tokenizer.json of the kinds "llama" (SentencePiece's BPE with scores) and "gpt2" (byte-level
/// BPE, cut by the expression that `tokenizer.ggml.pre` names). ConfigError for another kind or
/// expression, and for keys of the wrong kind; FormatError for lists that do not fit each other,
/// tokens that are not UTF-8 or there twice, ids outside of the vocabulary.
nlohmann::ordered_json tokenizer_json(const File& file);

/// The tokenizer_config.json: special tokens by name, and the chat templates.
nlohmann::ordered_json tokenizer_config_json(const File& file);

}  // namespace gladius::gguf
