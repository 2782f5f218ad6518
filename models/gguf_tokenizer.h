// A tokenizer as the keys that GGUF has for it. For this folder's callers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "gladius/models/gguf/writer.h"

namespace gladius {

/// Adds the keys of the tokenizer that is at `path` (a directory or a GGUF file), and of its chat
/// templates: the kind, the entries by id up to `vocab_size`, merges, special tokens. `ends` are
/// the tokens after which generation stops. ConfigError for a tokenizer that GGUF has no name for.
void add_tokenizer(gguf::KeyWriter& keys, const std::filesystem::path& path,
                   std::int64_t vocab_size, const std::vector<std::int32_t>& ends);

}  // namespace gladius
