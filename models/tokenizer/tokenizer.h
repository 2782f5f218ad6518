// A Hugging Face tokenizer.json: text to ids and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/tokenizer/encoding.h"
#include "gladius/models/tokenizer/token_list.h"

namespace gladius::text {

/// Byte pair encoding as the reference library `tokenizers` does it: the Llama kind (byte fallback)
/// and the Qwen kind (byte-level tokens). A cheap handle. Const methods may be
/// called from several threads.
class Tokenizer {
 public:
  /// Reads DIR/tokenizer.json, with the added and special tokens that tokenizer_config.json,
  /// special_tokens_map.json and added_tokens.json name, as transformers does; or a tokenizer.json
  /// alone; or what a GGUF file has. IoError when it cannot be read, FormatError when it is
  /// malformed, ConfigError naming a component that is not supported.
  static Tokenizer load(const std::filesystem::path& path);
  /// The same with the contents of that tokenizer.json, for who has read it already.
  static Tokenizer load(const std::filesystem::path& path, const nlohmann::json& tokenizer_json);

  /// Ids of `text`, with the post-processor's tokens (Llama's first one) unless told otherwise.
  /// What is not UTF-8 in the text counts as U+FFFD.
  std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens = true) const;

  /// The same with the bytes of `text` that each id stands for; takes more time.
  Encoding encode_with_spans(std::string_view text, bool add_special_tokens = true) const;

  /// Text of `ids`, valid UTF-8; ids without a token are skipped, as in the reference.
  std::string decode(const std::vector<std::int32_t>& ids, bool skip_special_tokens = true) const;

  /// The last id and one, added tokens included.
  std::int64_t vocab_size() const;
  /// The token's id, or -1.
  std::int32_t token_to_id(std::string_view token) const;
  /// The token, or "" where the id has none.
  const std::string& id_to_token(std::int32_t id) const;
  /// "bos_token", "eos_token" and their like: an object of texts by name, of the files that load()
  /// reads and, as in transformers, the padding of tokenizer.json.
  const nlohmann::ordered_json& special_tokens() const;
  /// What the files say that is ignored or done in another way, a line each, for a warning.
  const std::vector<std::string>& notes() const;
  /// Whether it is an added token: cut out of texts as it stands.
  bool is_added(std::int32_t id) const;
  /// Whether decode() can leave the id out.
  bool is_special(std::int32_t id) const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  friend class StreamDecoder;
  TokenDecoder decoder() const;
  // Adds the id's token, unless decode() passes over it.
  void add_token(std::int32_t id, bool skip_special_tokens, TokenList& tokens) const;

  std::shared_ptr<const Impl> impl_;
};

/// Decodes ids as they come. The pieces, and what flush() gives, are together what decode() makes
/// of all ids: what later ids may change is held back (the bytes of an unfinished character, a run
/// of <0xNN> until another token follows). For one thread at a time.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens = true)
      : tokenizer_(std::move(tokenizer)),
        skip_special_(skip_special_tokens),
        decoder_(tokenizer_.decoder()) {}

  /// The text that `id` completes, often "".
  std::string push(std::int32_t id);
  /// What is still held back, with U+FFFD for incomplete characters. Another text may follow.
  std::string flush();

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  TokenDecoder decoder_;
};

}  // namespace gladius::text
