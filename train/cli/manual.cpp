// gladius manual: the manual pages, which are made when the program is built.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "command_tree.h"
#include "commands.h"
#include "gladius/tensor/base/atomic_file.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/staged_directory.h"
#include "manual_pages.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

void write_pages(const CommandDescription& command, const CommandDescription& program,
                 const std::filesystem::path& directory) {
  AtomicFile file(directory / manual_file(command));
  file.write(manual_page(command, program));
  file.commit();
  for (const CommandDescription& each : command.commands) write_pages(each, program, directory);
}

const CommandDescription& find_described(const CommandDescription& program,
                                         const std::vector<std::string>& words) {
  const CommandDescription* found = &program;
  for (const std::string& word : words) {
    const CommandDescription* next = nullptr;
    for (const CommandDescription& each : found->commands) {
      if (each.last_name() == word) next = &each;
    }
    if (next == nullptr) {
      throw ConfigError(fmt::format("there is no command {} of {}", in_quotes(word), found->name));
    }
    found = next;
  }
  return *found;
}

}  // namespace

void add_manual(CLI::App& program, const Common& common) {
  struct Arguments {
    std::vector<std::string> command;
    std::string out;
  };
  CLI::App* command =
      add_command(program, "manual", "Prints the manual page of the program or of a command",
                  "gladius manual distill | man -l -\n  gladius manual --out man1");
  command->group("");  // the package has the pages
  const auto options = std::make_shared<Arguments>();
  command->add_option("COMMAND,--command", options->command, "As it is typed: tokenizer train");
  command
      ->add_option("--out", options->out, "Directory for all pages, in the place of what is there")
      ->type_name("DIR");
  command->callback([&program, options, &common] {
    const CommandDescription described = describe_commands(program);
    if (options->out.empty()) {
      const std::string page = manual_page(find_described(described, options->command), described);
      return common.json ? print_json({{"page", page}}) : print("{}", page);
    }
    StagedDirectory directory(options->out);
    write_pages(described, described, directory.path());
    directory.replace();
  });
}

}  // namespace gladius::cli
