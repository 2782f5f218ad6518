// How byte-level tokenizers cut texts into words: the names of GGUF, the components of
// tokenizer.json.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace gladius::gguf {

/// What a name of `tokenizer.ggml.pre` stands for.
struct PreTokenizer {
  nlohmann::ordered_json normalizer, pre_tokenizer;
  bool ignore_merges = false;  ///< a word that is a token is taken whole
  bool adds_bos = false;       ///< where the file does not say
};

/// Nothing for a name that is not known.
std::optional<PreTokenizer> find_pre_tokenizer(std::string_view name);
/// The names, for messages.
std::string known_pre_tokenizers();
/// The name for components of a tokenizer.json, if there is one. What else they are (the order of
/// members, offsets) does not count.
std::optional<std::string> name_of_pre_tokenizer(const nlohmann::ordered_json& normalizer,
                                                 const nlohmann::ordered_json& pre_tokenizer);

}  // namespace gladius::gguf
