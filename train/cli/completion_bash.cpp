#include <fmt/format.h>
#include <fmt/ranges.h>

#include "completion_scripts.h"

namespace gladius::cli {
namespace {

// Before and after the tables. readline itself completes files and directories, with their quotes
// and tildes, where a function leaves it nothing else.
constexpr const char* kHead =
    R"(# Completes the command lines of gladius in bash. Written by `gladius completion bash`.
)";
constexpr const char* kFunction = R"sh(
_gladius() {
  local current=${COMP_WORDS[COMP_CWORD]} command=gladius option="" given=0 word kind i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = ]]; then  # of --option=value, which bash takes for three words
      continue
    elif [[ $word == -* ]]; then
      option=$word
      [[ -n $(_gladius_value "$command $option") ]] || option=""
    elif [[ -n $option ]]; then
      [[ $(_gladius_value "$command $option") == *... ]] || option=""
    elif [[ " $(_gladius_commands "$command") " == *" $word "* ]]; then
      command+=" $word"
    else
      given=1
    fi
  done
  [[ $current != = ]] || current=""
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$(_gladius_options "$command")" -- "$current"))
    return
  fi
  kind=$(_gladius_value "$command $option")
  [[ -n $option || $given -eq 0 || $kind == *... ]] || kind=""
  case ${kind%...} in
    FILE | PATH) compopt -o default ;;
    DIR) compopt -o dirnames ;;
    "{"*) COMPREPLY=($(compgen -W "${kind//[^a-z0-9_-]/ }" -- "$current")) ;;
    "")
      word=$(_gladius_commands "$command")
      COMPREPLY=($(compgen -W "${word:-$(_gladius_options "$command")}" -- "$current"))
      ;;
  esac
}

complete -F _gladius gladius
)sh";

// The branches of a `case` on what is typed: the words that may follow.
struct Tables {
  std::string commands, options, values;
};

void add_branch(std::string& table, const std::string& key, const std::string& words) {
  if (!words.empty()) table += fmt::format("    \"{}\") echo \"{}\" ;;\n", key, words);
}

// "FILE", "{a,b}", with "..." if more words may follow.
std::string kind_of(const OptionDescription& option) {
  const std::string kind =
      option.choices.empty() ? option.value : fmt::format("{{{}}}", fmt::join(option.choices, ","));
  return kind + (option.takes_more ? "..." : "");
}

void add_command_tables(const CommandDescription& command,
                        const std::vector<OptionDescription>& common, Tables& tables) {
  std::vector<std::string> names, commands;
  std::vector<OptionDescription> options = command.options;
  if (command.name != "gladius") options.insert(options.end(), common.begin(), common.end());
  for (const OptionDescription& option : options) {
    for (const std::string& name : option.names) {
      if (name.starts_with("--")) names.push_back(name);
      add_branch(tables.values, command.name + " " + name, option.is_flag() ? "" : kind_of(option));
    }
    if (!option.argument.empty()) add_branch(tables.values, command.name + " ", kind_of(option));
  }
  for (const CommandDescription& each : command.commands) {
    commands.push_back(each.last_name());
    add_command_tables(each, common, tables);
  }
  add_branch(tables.options, command.name, fmt::format("{}", fmt::join(names, " ")));
  add_branch(tables.commands, command.name, fmt::format("{}", fmt::join(commands, " ")));
}

std::string case_function(const char* name, const char* comment, const std::string& branches) {
  return fmt::format("\n# {}\n{}() {{\n  case $1 in\n{}  esac\n}}\n", comment, name, branches);
}

}  // namespace

std::string bash_completion(const CommandDescription& program) {
  Tables tables;
  add_command_tables(program, common_options(program), tables);
  return kHead +
         case_function("_gladius_commands", "The commands of the program or of a command.",
                       tables.commands) +
         case_function("_gladius_options", "The options of a command.", tables.options) +
         case_function("_gladius_value",
                       "What an option takes, or a command without an option's name.",
                       tables.values) +
         kFunction;
}

}  // namespace gladius::cli
