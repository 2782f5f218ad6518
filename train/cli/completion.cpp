// gladius completion: how a shell completes the program's command lines.
#include <memory>
#include <string>

#include "command_tree.h"
#include "commands.h"
#include "completion_scripts.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {

void add_completion(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "completion", "Prints the script by which a shell completes commands and options",
      "source <(gladius completion bash)\n"
      "  gladius completion zsh > ~/.zfunc/_gladius");
  const auto shell = std::make_shared<std::string>();
  command->add_option("SHELL,--shell", *shell, "The shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command->callback([&program, shell, &common] {
    const CommandDescription described = describe_commands(program);
    const std::string script =
        *shell == "zsh" ? zsh_completion(described) : bash_completion(described);
    common.json ? print_json({{"shell", *shell}, {"script", script}}) : print("{}", script);
  });
}

}  // namespace gladius::cli
