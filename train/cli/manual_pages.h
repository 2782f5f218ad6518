// The manual pages of the program's commands, in the macros of man(7).
#pragma once

#include <string>

#include "command_tree.h"

namespace gladius::cli {

/// The page of `command`, which is `program` itself or one of its commands.
std::string manual_page(const CommandDescription& command, const CommandDescription& program);

/// "gladius-tokenizer-train.1"
std::string manual_file(const CommandDescription& command);

}  // namespace gladius::cli
