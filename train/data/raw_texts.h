// The texts of data files as they stand, for what comes before token ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/chat_template/conversation.h"

namespace gladius::train {

using RenderChat = std::function<std::string(const text::Conversation&)>;

/// Who takes the texts.
struct TextSink {
  /// A line of a .txt file with its end, a "text", the content of a message.
  std::function<void(std::string_view)> text;
  /// A conversation as `render` gives it; without `render` its messages' contents come as texts.
  std::function<void(std::string_view)> rendered_chat = {};
  RenderChat render = {};
};

/// Gives all texts of the files (.txt, .jsonl; patterns as in expand_patterns) in order, and
/// returns the files' bytes. IoError; ConfigError for another extension; FormatError "FILE:LINE:
/// ..." for a bad line and for one of "input_ids", and for a file without any text.
std::uint64_t for_each_text(const std::vector<std::filesystem::path>& files, const TextSink& sink);

}  // namespace gladius::train
