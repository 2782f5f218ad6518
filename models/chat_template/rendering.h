// What a template writes, and where the parts of it come from.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/encoding.h"

namespace gladius::text {

/// Bytes that were written for one message.
struct MessageSpan {
  std::size_t message = 0;  // its number in the conversation
  ByteSpan bytes;
};

/// Places in a text, in order.
struct Origins {
  /// What {% generation %} blocks wrote.
  std::vector<ByteSpan> generated;
  /// What loops over the messages wrote in each message's turn, also through macros and blocks. A
  /// message whose turn wrote nothing has no span; one with others' turns within its own has
  /// several. All are missing if the template has no such loop, or changes what the loop wrote.
  std::vector<MessageSpan> messages;

  bool empty() const { return generated.empty() && messages.empty(); }
};

struct Rendering {
  std::string text;
  Origins origins;
};

}  // namespace gladius::text
