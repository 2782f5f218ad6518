// Where the messages' contents stand in a conversation's text.
#pragma once

#include <utility>
#include <vector>

#include "gladius/models/chat_template/conversation.h"
#include "gladius/models/chat_template/rendering.h"

namespace gladius::train {

/// The contents that stand in both renderings of a conversation, in order, with the same bytes: the
/// whole content without white space around it, or what comes behind its "</think>", as templates
/// leave out earlier thoughts. A message whose content is not found in both (calls of tools, which
/// each template writes in its own way) has none.
std::pair<std::vector<text::ByteSpan>, std::vector<text::ByteSpan>> shared_contents(
    const text::Conversation& conversation, const text::Rendering& first,
    const text::Rendering& second);

}  // namespace gladius::train
