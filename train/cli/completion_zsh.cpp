#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "completion_scripts.h"

namespace gladius::cli {
namespace {

// With a backslash before each of `special`.
std::string escaped(const std::string& text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != special.npos) result += '\\';
    result += c;
  }
  return result;
}

// As a word of the shell.
std::string in_single_quotes(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

// "MESSAGE:ACTION" of _arguments.
std::string value_spec(const OptionDescription& option, const std::string& name) {
  std::string action = " ";
  if (!option.choices.empty()) {
    action = fmt::format("({})", fmt::join(option.choices, " "));
  } else if (option.value == "DIR") {
    action = "_files -/";
  } else if (option.value == "FILE" || option.value == "PATH") {
    action = "_files";
  }
  return fmt::format("{}:{}", escaped(name, ":\\"), action);
}

// A name of an option: "(-h --help)--help[Print this help message and exit]".
std::string option_spec(const OptionDescription& option, const std::string& name) {
  std::string spec;
  if (option.repeats) {
    spec = "*";
  } else if (option.names.size() > 1) {
    spec = fmt::format("({})", fmt::join(option.names, " "));
  }
  spec += name;
  if (!option.is_flag() && !option.takes_more) spec += name.starts_with("--") ? "=" : "+";
  spec += fmt::format("[{}]", escaped(option.meaning, "[]:\\"));
  if (option.is_flag()) return spec;
  // The words up to the next option belong to one that takes several.
  return spec + (option.takes_more ? ":*-*:" : ":") + value_spec(option, option.value);
}

std::string function_name(const CommandDescription& command) {
  std::string name = "_" + command.name;
  std::ranges::replace(name, ' ', '_');
  return name;
}

std::string arguments_call(const CommandDescription& command,
                           const std::vector<OptionDescription>& common) {
  std::vector<OptionDescription> options = command.options;
  if (command.name != "gladius") options.insert(options.end(), common.begin(), common.end());
  std::string call = "  _arguments -S";
  if (!command.commands.empty()) call += " -C";
  const auto add = [&call](const std::string& spec) {
    call += " \\\n    " + in_single_quotes(spec);
  };
  for (const OptionDescription& option : options) {
    for (const std::string& name : option.names) add(option_spec(option, name));
    if (option.argument.empty()) continue;
    add((option.takes_more ? "*:" : "1:") + value_spec(option, option.argument));
  }
  if (!command.commands.empty()) {
    add("1: :->command");
    add("*:: :->rest");
  }
  return call + "\n";
}

// The choice among its commands, and what each of them takes.
std::string commands_case(const CommandDescription& command) {
  std::string names, branches;
  for (const CommandDescription& each : command.commands) {
    names += "        " +
             in_single_quotes(escaped(each.last_name(), ":") + ":" + escaped(each.meaning, "\\")) +
             "\n";
    branches += fmt::format("        {}) {} ;;\n", each.last_name(), function_name(each));
  }
  return fmt::format(
      "  case $state in\n"
      "    command)\n"
      "      commands=(\n{}      )\n"
      "      _describe -t commands command commands\n"
      "      ;;\n"
      "    rest)\n"
      "      case $words[1] in\n{}      esac\n"
      "      ;;\n"
      "  esac\n",
      names, branches);
}

void add_function(const CommandDescription& command, const std::vector<OptionDescription>& common,
                  std::string& script) {
  for (const CommandDescription& each : command.commands) add_function(each, common, script);
  script += fmt::format("\n{}() {{\n", function_name(command));
  if (!command.commands.empty()) {
    script += "  local curcontext=$curcontext state line\n  local -a commands\n";
    script += "  typeset -A opt_args\n";
  }
  script += arguments_call(command, common);
  if (!command.commands.empty()) script += commands_case(command);
  script += "}\n";
}

}  // namespace

std::string zsh_completion(const CommandDescription& program) {
  std::string script =
      "#compdef gladius\n"
      "# Completes the command lines of gladius in zsh. Written by `gladius completion zsh`.\n";
  add_function(program, common_options(program), script);
  // Found in fpath, the file is the body of the function and runs at once.
  return script +
         "\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  _gladius \"$@\"\nelse\n"
         "  compdef _gladius gladius\nfi\n";
}

}  // namespace gladius::cli
