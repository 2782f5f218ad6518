// A Hugging Face tokenizer.json: text to ids and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/tokenizer/encoding.h"

namespace gladius {

/// Byte pair encoding as the reference library `tokenizers` does it: the Llama kind (byte fallback)
/// and the Qwen kind (byte-level tokens). A cheap handle; immutable, so that threads may share one.
class Tokenizer {
 public:
  /// Reads DIR/tokenizer.json, with the added and special tokens that tokenizer_config.json,
  /// special_tokens_map.json and added_tokens.json name, as transformers does; or a tokenizer.json
  /// alone. IoError when it cannot be read, FormatError when it is malformed, ConfigError naming a
  /// component that is not supported.
  static Tokenizer load(const std::filesystem::path& path);

  /// Ids of `text`, with the post-processor's tokens (Llama's first one) unless told otherwise.
  /// What is not UTF-8 in the text counts as U+FFFD.
  std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens = true) const;

  /// The same with the bytes of `text` that each id stands for; takes more time.
  Encoding encode_with_spans(std::string_view text, bool add_special_tokens = true) const;

  /// Text of `ids`, valid UTF-8; ids without a token are passed over, as in the reference.
  std::string decode(const std::vector<std::int32_t>& ids, bool skip_special_tokens = true) const;

  /// The last id and one, added tokens included.
  std::int64_t vocab_size() const;
  /// The token's id, or -1.
  std::int32_t token_to_id(std::string_view token) const;
  /// The token, or "" where the id has none.
  const std::string& id_to_token(std::int32_t id) const;
  /// What the files say that is passed over or done in another way, a line each, for a warning.
  const std::vector<std::string>& notes() const;
  /// Whether decode() can leave the id out.
  bool is_special(std::int32_t id) const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// Decodes ids as they come. The pieces, and what flush() gives, make up the text; a character is
/// held back until its last byte has come.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens = true)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special_tokens) {}

  /// The text that `id` completes, often "".
  std::string push(std::int32_t id);
  /// What is still held back, with U+FFFD for incomplete characters.
  std::string flush();

 private:
  // What is new in `text`, without the character `held` at its end.
  std::string take(std::string text, std::string_view held);

  Tokenizer tokenizer_;
  bool skip_special_;
  // The ids since the last piece but one: decoders treat the start of a text specially, so new ids
  // are decoded behind the ones shown last, and only the difference is given out.
  std::vector<std::int32_t> window_;
  std::size_t shown_ids_ = 0;
  std::string shown_;
};

}  // namespace gladius
