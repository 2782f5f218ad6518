// Numbers of the command line.
#pragma once

#include <CLI/CLI.hpp>

namespace gladius::cli {

/// Every option of the program and its commands that takes a number refuses what is none, empty
/// text, a number beyond its type, and nan and inf: CLI11 passes some of these.
void check_numbers(CLI::App& program);

}  // namespace gladius::cli
