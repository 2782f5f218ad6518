// The normalizer of a tokenizer.json.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "gladius/models/tokenizer/aligned_text.h"

namespace gladius {

using Normalizer = std::function<AlignedText(AlignedText)>;

/// Prepend, Replace, NFC and Sequence; null gives none. ConfigError names any other component,
/// FormatError a malformed one.
Normalizer make_normalizer(const nlohmann::json& component);

}  // namespace gladius
