// Renders a syntax tree.
#pragma once

#include <string>

#include "gladius/models/chat_template/ast.h"
#include "gladius/models/chat_template/source.h"

namespace gladius::jinja {

/// The template's text with the variables of `context`, a dict. FormatError or ConfigError with the
/// place in the source.
std::string render(const Source& source, const Body& body, const nlohmann::ordered_json& context);

}  // namespace gladius::jinja
