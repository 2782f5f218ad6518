// gladius: the program. Each subcommand is a file of this folder.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <vector>

#include "commands.h"
#include "gladius/tensor/parallel.h"

namespace gladius::cli {
namespace {

const std::vector<AddCommand> kCommands = {
    add_init,   add_inspect,   add_distill,  add_eval,    add_generate,
    add_logits, add_gradients, add_tokenize, add_convert, add_report,
};

void add_common(CLI::App& program, Common& common) {
  program.add_option("--threads", common.threads, "Threads to use (default: all processors)")
      ->check(CLI::PositiveNumber);
  program.add_option("--log-level", common.log_level, "What goes to standard error besides errors")
      ->check(CLI::IsMember({"error", "warning", "info", "debug"}))
      ->capture_default_str();
  program.add_flag("--json", common.json, "Results on standard output as JSON");
}

int run(int argc, char** argv) {
  CLI::App program("Trains, distils and runs Llama-family models on a CPU.", "gladius");
  program.require_subcommand(1);
  program.fallthrough();  // common options also after the subcommand
  Common common;
  add_common(program, common);
  program.parse_complete_callback([&] {
    if (common.threads > 0) set_num_threads(common.threads);
  });
  for (const AddCommand add : kCommands) add(program, common);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return program.exit(help);
  } catch (const CLI::ParseError& error) {
    program.exit(error);
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace gladius::cli

int main(int argc, char** argv) {
  try {
    return gladius::cli::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "gladius: error: {}\n", error.what());
    return 1;
  }
}
