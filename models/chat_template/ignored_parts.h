// What a conversation has and its chat template does not show.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gladius/models/chat_template/chat_template.h"
#include "gladius/models/chat_template/conversation.h"

namespace gladius::text {

/// Of `"tools"`, `"tool_calls"` and `messages of the role "tool"` those that the conversation has
/// and that leave no trace in `rendering`, which is the conversation without a generation prompt.
/// A model trained on it would learn empty answers.
std::vector<std::string> ignored_parts(const ChatTemplate& chat_template,
                                       const Conversation& conversation,
                                       const nlohmann::ordered_json& variables,
                                       const Rendering& rendering);

/// What to say of them.
std::string ignored_parts_warning(const std::vector<std::string>& parts);

}  // namespace gladius::text
