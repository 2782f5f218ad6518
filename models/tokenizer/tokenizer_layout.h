// The files of a tokenizer of your own, in the form of a kind that people know.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/bpe_trainer.h"

namespace gladius::text {

/// llama: characters with byte fallback, U+2581 for spaces, BOS before a text. byte_level: the
/// bytes' characters of GPT-2 and Qwen, words cut by GPT-2's expression.
enum class TokenizerKind { llama, byte_level };

/// What a tokenizer of a kind has besides its vocabulary.
struct TokenizerLayout {
  TokenizerKind kind = TokenizerKind::llama;
  std::vector<std::string> special_tokens;  ///< by id from 0, Llama's byte tokens left out
  std::vector<std::string> byte_tokens;     ///< of Llama, behind its own three special tokens
  std::string alphabet;                     ///< characters that always have a token
  nlohmann::ordered_json names;             ///< "bos_token", "eos_token" ... by name
  nlohmann::ordered_json normalizer, pre_tokenizer;
};

/// The kind's layout with `more` special tokens behind its own, `eos_token` in the place of its own
/// unless "", and with words cut into the matches of `split` (and what is between them) unless "":
/// an expression of a tokenizer.json over normalised text, as "Split" with "Isolated" takes it.
TokenizerLayout tokenizer_layout(TokenizerKind kind, const std::vector<std::string>& more,
                                 const std::string& eos_token, const std::string& split);

/// The special tokens and byte tokens in the order of their ids.
std::vector<std::string> first_tokens(const TokenizerLayout& layout);

/// tokenizer.json, tokenizer_config.json and special_tokens_map.json.
nlohmann::ordered_json tokenizer_json(const TokenizerLayout& layout,
                                      const BpeVocabulary& vocabulary);
nlohmann::ordered_json tokenizer_config_json(const TokenizerLayout& layout);
nlohmann::ordered_json special_tokens_map_json(const TokenizerLayout& layout);

}  // namespace gladius::text
