// Files with conversations and tools that commands read.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "gladius/models/chat_template/conversation.h"

namespace gladius::cli {

/// The JSON document of a file or pipe, or of the standard input for "-". IoError, FormatError.
nlohmann::ordered_json read_json_input(const std::string& file);

/// `--messages FILE`: a list of messages, or an object with "messages" and perhaps "tools", as a
/// line of a data file. "-" is the standard input. FormatError naming the file.
text::Conversation read_messages(const std::string& file);

/// `--tools FILE`: a list of tools, or an object with "tools". Null where the file says null.
nlohmann::ordered_json read_tools(const std::string& file);

}  // namespace gladius::cli
