// The subcommands of the program, one file each.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace gladius::cli {

/// Options that every subcommand has.
struct Common {
  int threads = 0;  // 0: the default
  std::string log_level = "info";
  bool json = false;
};

/// Adds a subcommand to the program; it runs when the command line names it.
using AddCommand = void (*)(CLI::App& program, const Common& common);

void add_convert(CLI::App& program, const Common& common);
void add_distill(CLI::App& program, const Common& common);
void add_eval(CLI::App& program, const Common& common);
void add_generate(CLI::App& program, const Common& common);
void add_gradients(CLI::App& program, const Common& common);
void add_init(CLI::App& program, const Common& common);
void add_inspect(CLI::App& program, const Common& common);
void add_logits(CLI::App& program, const Common& common);
void add_render(CLI::App& program, const Common& common);
void add_report(CLI::App& program, const Common& common);
void add_tokenize(CLI::App& program, const Common& common);
void add_tokenizer(CLI::App& program, const Common& common);

}  // namespace gladius::cli
