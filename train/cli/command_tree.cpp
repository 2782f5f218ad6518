#include "command_tree.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace gladius::cli {
namespace {

std::vector<std::string> names_of_option(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// By name, as CLI11 has them in the order of their addresses.
std::vector<std::string> sorted_names(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) names.push_back(names_of_option(*option).back());
  std::ranges::sort(names);
  return names;
}

// What CLI11 puts together of the type and the checks: "TEXT:{f32,bf16}", "INT:POSITIVE",
// "TEXT:FILE".
void describe_value(const std::string& type, OptionDescription& described) {
  const std::size_t open = type.find('{'), close = type.find('}');
  if (open < close && close != std::string::npos) {
    std::istringstream list(type.substr(open + 1, close - open - 1));
    for (std::string choice; std::getline(list, choice, ',');) described.choices.push_back(choice);
  }
  described.value = type.substr(0, type.find(':'));
  if (described.value == "TEXT" && type.ends_with(":FILE")) described.value = "FILE";
}

OptionDescription describe_option(const CLI::Option& option) {
  OptionDescription described{.names = names_of_option(option),
                              .argument = option.get_positional() ? option.get_name(true) : "",
                              .value = "",
                              .choices = {},
                              .meaning = option.get_description(),
                              .default_value = option.get_default_str(),
                              .needs = sorted_names(option.get_needs()),
                              .excludes = sorted_names(option.get_excludes()),
                              .required = option.get_required()};
  const int most = option.get_items_expected_max();
  if (most == 0) return described;
  describe_value(option.get_type_name(), described);
  described.repeats = most > 1;
  described.takes_more = described.repeats && option.get_allow_extra_args();
  return described;
}

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// Of a group that takes one of its options, each excludes the others.
void exclude_each_other(std::vector<OptionDescription>& group) {
  for (OptionDescription& option : group) {
    for (const OptionDescription& other : group) {
      if (&other != &option) option.excludes.push_back(other.names.back());
    }
    std::ranges::sort(option.excludes);
  }
}

std::vector<OptionDescription> describe_options(const CLI::App& app) {
  std::vector<OptionDescription> options;
  for (const CLI::Option* option : app.get_options()) options.push_back(describe_option(*option));
  for (const CLI::App* group : subcommands(app)) {
    if (!group->get_name().empty()) continue;
    std::vector<OptionDescription> of_group = describe_options(*group);
    std::erase_if(of_group, [](const OptionDescription& option) {
      return std::ranges::count(option.names, "--help") > 0;
    });
    if (group->get_require_option_max() == 1) exclude_each_other(of_group);
    options.insert(options.end(), of_group.begin(), of_group.end());
  }
  return options;
}

// The lines below "Example:".
std::vector<std::string> examples_of(const CLI::App& app) {
  std::vector<std::string> examples;
  std::istringstream footer(app.get_footer());
  for (std::string line; std::getline(footer, line);) {
    if (line.starts_with("  ")) examples.push_back(line.substr(2));
  }
  return examples;
}

CommandDescription describe_command(const CLI::App& app, const std::string& name) {
  CommandDescription command{.name = name,
                             .meaning = app.get_description(),
                             .examples = examples_of(app),
                             .options = describe_options(app),
                             .commands = {}};
  for (const CLI::App* each : subcommands(app)) {
    const bool hidden = each->get_group().empty();
    if (each->get_name().empty() || hidden) continue;
    command.commands.push_back(describe_command(*each, name + " " + each->get_name()));
  }
  return command;
}

}  // namespace

std::string CommandDescription::last_name() const { return name.substr(name.rfind(' ') + 1); }

CommandDescription describe_commands(const CLI::App& program) {
  return describe_command(program, program.get_name());
}

std::vector<OptionDescription> common_options(const CommandDescription& program) {
  std::vector<OptionDescription> options = program.options;
  std::erase_if(options, [](const OptionDescription& option) {
    const std::string& name = option.names.back();
    return name == "--help" || name == "--version";
  });
  return options;
}

}  // namespace gladius::cli
