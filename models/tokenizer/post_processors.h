// The post-processor of a tokenizer.json.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "gladius/models/tokenizer/encoding.h"

namespace gladius::text {

/// What a post-processor works on. Spans are there only where they were asked for.
struct PostProcessed {
  Encoding& encoding;
  bool add_special_tokens;
  std::string_view source;
  /// The token of an id; for an added token, the source text that it stands for.
  const std::function<std::string_view(std::size_t index)>& token;
};

using PostProcessor = std::function<void(const PostProcessed&)>;

/// TemplateProcessing (its "single", with the sequence A exactly once), BertProcessing,
/// RobertaProcessing, ByteLevel and Sequence; null gives none. ConfigError names any other
/// component, FormatError a malformed one.
PostProcessor make_post_processor(const nlohmann::json& component);

}  // namespace gladius::text
