// The stages around the model of a tokenizer.json, each a function made from its JSON: normalizer,
// pre-tokenizer, post-processor, decoder. A component that is not known is refused by its name.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gladius {

/// A part of the text between added tokens.
struct TextPiece {
  std::string text;
  bool at_start;  ///< whether it starts where the whole text starts
};

using Normalizer = std::function<std::string(std::string)>;
using PreTokenizer = std::function<std::vector<TextPiece>(std::vector<TextPiece>)>;
using TokenDecoder = std::function<std::vector<std::string>(std::vector<std::string>)>;

/// What TemplateProcessing puts around one sequence.
struct PostProcessor {
  std::vector<std::int32_t> prefix;
  std::vector<std::int32_t> suffix;
};

/// Prepend, Replace (of a string) and Sequence.
Normalizer make_normalizer(const nlohmann::json& component);

/// Metaspace and Sequence.
PreTokenizer make_pre_tokenizer(const nlohmann::json& component);

/// TemplateProcessing, with the sequence A exactly once, and Sequence.
PostProcessor make_post_processor(const nlohmann::json& component);

/// Replace (of a string), ByteFallback, Fuse, Strip, Metaspace and Sequence.
TokenDecoder make_decoder(const nlohmann::json& component);

}  // namespace gladius
