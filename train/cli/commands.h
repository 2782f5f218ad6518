// The subcommands of the program, one file each.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "gladius/tensor/base/enum_names.h"
#include "gladius/train/run/run_config.h"

namespace gladius::cli {

/// What goes to standard error besides errors, from little to all.
enum class LogLevel { error, warning, info, debug };

}  // namespace gladius::cli

namespace gladius {

template <>
inline constexpr EnumName<cli::LogLevel> kEnumNames<cli::LogLevel>[] = {
    {cli::LogLevel::error, "error"},
    {cli::LogLevel::warning, "warning"},
    {cli::LogLevel::info, "info"},
    {cli::LogLevel::debug, "debug"}};

}  // namespace gladius

namespace gladius::cli {

/// Options that every subcommand has.
struct Common {
  int threads = 0;                                  // 0: the default
  std::optional<train::PrecisionChoice> precision;  // none: f32, or the run file's
  LogLevel log_level = LogLevel::info;
  bool json = false;
};

/// Adds a subcommand to the program; it runs when the command line names it.
using AddCommand = void (*)(CLI::App& program, const Common& common);

void add_align(CLI::App& program, const Common& common);
void add_completion(CLI::App& program, const Common& common);
void add_convert(CLI::App& program, const Common& common);
void add_distill(CLI::App& program, const Common& common);
void add_eval(CLI::App& program, const Common& common);
void add_generate(CLI::App& program, const Common& common);
void add_gradients(CLI::App& program, const Common& common);
void add_init(CLI::App& program, const Common& common);
void add_inspect(CLI::App& program, const Common& common);
void add_logits(CLI::App& program, const Common& common);
void add_manual(CLI::App& program, const Common& common);
void add_render(CLI::App& program, const Common& common);
void add_report(CLI::App& program, const Common& common);
void add_tokenize(CLI::App& program, const Common& common);
void add_tokenizer(CLI::App& program, const Common& common);
void add_verify(CLI::App& program, const Common& common);
void add_watch(CLI::App& program, const Common& common);

}  // namespace gladius::cli
