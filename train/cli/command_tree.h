// What the program's help says of its commands and options, as data: the completion of shells and
// the manual pages are made of it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace gladius::cli {

struct OptionDescription {
  std::vector<std::string> names;    // "-h", "--help"; none of what is named by its place alone
  std::string argument;              // "RUN.json" if it may be named by its place
  std::string value;                 // "INT"; "FILE", "DIR" or "PATH" for what is on the disk; ""
                                     // for a flag
  std::vector<std::string> choices;  // the values that it takes, where they are few
  std::string meaning, default_value;
  std::vector<std::string> needs, excludes;  // other options
  bool required = false;
  bool repeats = false;     // may be given several times
  bool takes_more = false;  // takes all words up to the next option

  bool is_flag() const { return value.empty(); }
};

struct CommandDescription {
  std::string name;  // as it is typed: "gladius tokenizer train"
  std::string meaning;
  std::vector<std::string> examples;
  std::vector<OptionDescription> options;
  std::vector<CommandDescription> commands;

  /// The last word of `name`.
  std::string last_name() const;
};

/// The program with all commands but those that its help leaves out.
CommandDescription describe_commands(const CLI::App& program);

/// The program's options that every command takes too.
std::vector<OptionDescription> common_options(const CommandDescription& program);

}  // namespace gladius::cli
