// What a shell needs to complete the program's command lines.
#pragma once

#include <string>

#include "command_tree.h"

namespace gladius::cli {

/// A function of bash, and the line that has it called.
std::string bash_completion(const CommandDescription& program);
/// A file for zsh's `fpath`, under the name _gladius; it can be sourced too.
std::string zsh_completion(const CommandDescription& program);

}  // namespace gladius::cli
