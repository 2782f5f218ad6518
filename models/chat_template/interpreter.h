// Renders a syntax tree.
#pragma once

#include <nlohmann/json.hpp>

#include "gladius/models/chat_template/ast.h"
#include "gladius/models/chat_template/rendering.h"
#include "gladius/models/chat_template/source.h"

namespace gladius::text::jinja {

/// The template's text with the variables of `context`, a dict. FormatError or ConfigError with the
/// place in the source.
Rendering render(const Source& source, const Body& body, const nlohmann::ordered_json& context);

}  // namespace gladius::text::jinja
