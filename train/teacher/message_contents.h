// Where the messages' contents stand in a conversation's text.
#pragma once

#include <optional>
#include <string_view>
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

/// Without white space around it, as templates often write a content.
std::string_view trimmed(std::string_view text);

/// Where `content` stands in a rendering as that of the conversation's last message.
std::optional<text::ByteSpan> find_last_content(const text::Conversation& conversation,
                                                const text::Rendering& rendering,
                                                std::string_view content);

}  // namespace gladius::train
