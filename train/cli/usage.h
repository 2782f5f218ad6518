// What is said about a command line that is wrong.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace gladius::cli {

/// The line for standard error: what is wrong, what may have been meant, where help is.
std::string wrong_usage(const CLI::App& program, const CLI::ParseError& error);

}  // namespace gladius::cli
