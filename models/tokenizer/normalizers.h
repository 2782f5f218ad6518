// The normalizer of a tokenizer.json.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "gladius/models/tokenizer/aligned_text.h"

namespace gladius::text {

using Normalizer = std::function<AlignedText(AlignedText)>;

/// Any but BertNormalizer and Precompiled (docs/tokenizers.md); null gives none. ConfigError names
/// a component that is not supported, FormatError a malformed one.
Normalizer make_normalizer(const nlohmann::json& component);

}  // namespace gladius::text
