// gladius --version: which program this is, and what it computes with here.
#pragma once

namespace gladius::cli {

void print_version(bool json);

}  // namespace gladius::cli
