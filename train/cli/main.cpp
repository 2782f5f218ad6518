// gladius: the program. Each subcommand is a file of this folder.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/precision.h"
#include "gladius/train/run/precision_choice.h"
#include "number_options.h"
#include "output.h"
#include "support.h"
#include "usage.h"
#include "version.h"
#include "waiting_threads.h"

namespace gladius::cli {
namespace {

const std::vector<AddCommand> kCommands = {
    add_align,     add_init,      add_inspect,  add_distill,    add_eval,    add_generate,
    add_logits,    add_gradients, add_tokenize, add_render,     add_convert, add_report,
    add_tokenizer, add_verify,    add_watch,    add_completion, add_manual,
};

void add_common(CLI::App& program, Common& common) {
  program.add_option("--threads", common.threads, "Threads to use (default: all processors)")
      ->check(CLI::PositiveNumber);
  add_choice<std::optional<train::PrecisionChoice>, train::PrecisionChoice>(
      program, "--precision", common.precision,
      "What products and attention compute with: bf16 rounds their operands; auto: bf16 if this "
      "processor computes it at least 1.3 times as fast (default: f32; distill: as the run file "
      "says)");
  add_choice(program, "--log-level", common.log_level, "What goes to standard error besides errors")
      ->default_str(name_of(common.log_level));
  program.add_flag("--json", common.json, "Results on standard output as JSON");
}

// The arguments in CLI11's order, last first. Of `--option=` it would take the next argument for
// the value, which is the empty text.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> list;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool empty_value =
        argument.size() > 3 && argument.starts_with("--") && argument.ends_with('=');
    list.push_back(empty_value ? argument.substr(0, argument.size() - 1) : argument);
    if (empty_value) list.emplace_back();
  }
  std::ranges::reverse(list);
  return list;
}

Precision chosen_precision(const Common& common) {
  const auto log_line = [&](LogLevel level) {
    return [&, level](const std::string& text) {
      if (common.log_level >= level) log("{}", text);
    };
  };
  return train::precision_of(
      train::settle_precision(common.precision.value_or(train::PrecisionChoice::f32),
                              log_line(LogLevel::debug), log_line(LogLevel::warning)));
}

int report_wrong_usage(const CLI::App& program, const CLI::ParseError& error) {
  log("{}", wrong_usage(program, error));
  return 2;
}

// Help is a result.
void print_help(const CLI::App& program, const CLI::Success& help) {
  std::ostringstream text;
  program.exit(help, text, text);
  print("{}", text.str());
}

int run(int argc, char** argv) {
  CLI::App program("Trains, distils and runs Llama-family models on a CPU.", "gladius");
  program.require_subcommand(0, 1);
  program.fallthrough();  // common options also after the subcommand
  Common common;
  bool version = false;
  program.add_flag("--version", version, "Version, commit, compiler, BLAS, instruction sets");
  add_common(program, common);
  std::optional<PrecisionScope> precision;
  program.parse_complete_callback([&] {
    if (common.threads > 0) set_num_threads(common.threads);
    precision.emplace(chosen_precision(common));
  });
  for (const AddCommand add : kCommands) add(program, common);
  check_numbers(program);
  try {
    program.parse(arguments(argc, argv));
    if (version) print_version(common.json);
    if (!version && program.get_subcommands().empty()) throw CLI::RequiredError("A command");
  } catch (const CLI::Success& help) {
    print_help(program, help);
  } catch (const CLI::ParseError& error) {
    return report_wrong_usage(program, error);
  }
  close_output();
  return 0;
}

}  // namespace
}  // namespace gladius::cli

int main(int argc, char** argv) {
  using namespace gladius::cli;
  shorten_waits(argv);
  occupy_standard_streams();
  try {
    return run(argc, argv);
  } catch (const OutputError& error) {
    if (error.reader_is_gone()) end_by_broken_pipe();
    log("gladius: error: {}\n", message_line(error.what()));
  } catch (const std::filesystem::filesystem_error& error) {
    log("gladius: error: {}: {}\n", message_line(error.path1().string()), error.code().message());
  } catch (const std::exception& error) {
    log("gladius: error: {}\n", message_line(error.what()));
  }
  return 1;
}
