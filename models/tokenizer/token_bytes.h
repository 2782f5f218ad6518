// The bytes of text that a tokenizer's entries stand for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "gladius/models/tokenizer/decoders.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius::text {

/// Entries of different kinds of tokenizers are compared by these, never by how a vocabulary writes
/// them: "\u0120the" and "\u2581the" are both " the", and "\u00e9" is the character in one and the
/// byte E9 in another.
class TokenBytes {
 public:
  /// Of a directory's tokenizer, and with the contents of its tokenizer.json, for who has read it
  /// already. Errors of Tokenizer::load.
  explicit TokenBytes(const std::filesystem::path& directory);
  TokenBytes(const std::filesystem::path& directory, const nlohmann::json& tokenizer_json);

  /// The bytes of an entry in the middle of a text, which need not be UTF-8; nothing where the id
  /// has no entry.
  std::optional<std::string> operator[](std::int64_t id) const;
  /// The same of an entry that a text begins with: decoders drop the space that tokenizers put
  /// there.
  std::optional<std::string> at_start(std::int64_t id) const;

  const Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  // Of an entry with the text `before` in front of it.
  std::optional<std::string> bytes(std::int64_t id, std::string_view before) const;

  Tokenizer tokenizer_;
  TokenDecoder decoder_;
  bool byte_level_ = false;     // an entry is bytes, written as characters
  bool byte_fallback_ = false;  // <0xNN> is a byte
};

}  // namespace gladius::text
