#include "usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "gladius/tensor/base/nearest_name.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::cli {
namespace {

// The command of the command line as far as it is one, such as `tokenizer train`.
struct Command {
  const CLI::App* app;
  std::string name;  // as it is typed
};

Command find_command(const CLI::App& program) {
  Command command{&program, program.get_name()};
  for (auto chosen = program.get_subcommands(); !chosen.empty();
       chosen = command.app->get_subcommands()) {
    command = {chosen.front(), command.name + " " + chosen.front()->get_name()};
  }
  return command;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_name().empty()) names.push_back(command->get_name());  // else it is a group
  }
  return names;
}

// Those of the command, its groups, and the ones that all commands have.
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* group : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!group->get_name().empty()) continue;
    for (const std::string& name : option_names(*group)) names.push_back(name);
  }
  if (app.get_parent() != nullptr && !app.get_name().empty()) {
    for (const std::string& name : option_names(*app.get_parent())) names.push_back(name);
  }
  return names;
}

// ", did you mean X?", or nothing.
std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const auto similar = similar_name(word, known);
  return similar ? fmt::format(", did you mean {}?", *similar) : "";
}

// The first word that has no place and looks like an option, or like none.
std::optional<std::string> left_over(const CLI::App& program, bool option) {
  for (const std::string& word : program.remaining(/*recurse=*/true)) {
    if (word.starts_with('-') == option) return word.substr(0, option ? word.find('=') : word.npos);
  }
  return std::nullopt;
}

}  // namespace

std::string wrong_usage(const CLI::App& program, const CLI::ParseError& error) {
  const Command command = find_command(program);
  const std::string help = command.name + " --help";
  const std::vector<std::string> commands = command_names(*command.app);
  const auto word = left_over(program, /*option=*/false);
  if (word && !commands.empty()) {
    return fmt::format("gladius: error: there is no command {}{}; {} lists them\n",
                       in_quotes(*word), suggestion(*word, commands), help);
  }
  if (const auto option = left_over(program, /*option=*/true)) {
    return fmt::format("gladius: error: {} has no option {}{}; {} lists them\n", command.name,
                       shortened(*option), suggestion(*option, option_names(*command.app)), help);
  }
  if (word) {
    return fmt::format("gladius: error: {} does not take another argument, {}; {} shows how\n",
                       command.name, in_quotes(*word), help);
  }
  std::string what = error.what();
  std::ranges::replace(what, '\n', ' ');
  return fmt::format("gladius: error: {}; {} shows how\n", shortened(what), help);
}

}  // namespace gladius::cli
