// Whether two tokenizers are the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace gladius::text {

struct TokenizerDifference {
  std::string what;           // "token 17", "merge 3"
  std::string first, second;  // what it is in each
};

struct TokenizerComparison {
  /// The first difference; nothing if the tokenizers are the same.
  std::optional<TokenizerDifference> difference;
  /// What could not be decided, or "".
  std::string note;
};

/// Compares the tokenizers of two directories in what decides ids: the entries (added tokens
/// included), the merges and the model's settings; where normalizers, pre-tokenizers or the rules
/// of added tokens are written differently, the ids of sample texts, the entries' own among them.
/// What a post-processor adds does not count. Errors of Tokenizer::load.
TokenizerComparison compare_tokenizers(const std::filesystem::path& first,
                                       const std::filesystem::path& second);

/// How many of the ids 0 .. count - 1 stand for the same bytes in both tokenizers (token_bytes.h).
std::int64_t count_shared_entries(const std::filesystem::path& first,
                                  const std::filesystem::path& second, std::int64_t count);

}  // namespace gladius::text
