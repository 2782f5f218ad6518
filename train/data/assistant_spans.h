// Which part of a conversation's text the assistant wrote.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "gladius/models/chat_template/chat_template.h"
#include "gladius/models/chat_template/conversation.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius::train {

/// What a conversation is turned into text and tokens with.
struct ChatFormat {
  const text::ChatTemplate& chat_template;
  const nlohmann::ordered_json& variables;  // special tokens
  const text::Tokenizer& tokenizer;
};

/// Places in `rendering`, which is the conversation without a generation prompt, in order.
///
/// Messages that are not learned (message_weights.h) have none.
///
/// A template with {% generation %} blocks says it itself. Of others it is what the template writes
/// in the turns of the assistant's messages in its loop over the messages, without the generation
/// prompt in front (`<|im_start|>assistant\n`: a header that is given when the model answers) and
/// with what ends the turn (`<|im_end|>\n`): all as it stands in the whole conversation, however a
/// template treats last messages, thoughts of earlier turns or calls of tools. A template that
/// builds its text in another way is rendered up to each message; ConfigError where that does not
/// show the answer.
std::vector<text::ByteSpan> assistant_spans(const ChatFormat& format,
                                            const text::Conversation& conversation,
                                            const text::Rendering& rendering);

}  // namespace gladius::train
