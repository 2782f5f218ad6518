// gladius --version: which program this is, and what it computes with here.
#pragma once

namespace gladius::cli {

/// "0.1.0"
const char* program_version();
void print_version(bool json);

}  // namespace gladius::cli
