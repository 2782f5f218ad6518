// What the program says of itself to shells and to `man`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "program/program_fixture.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using testing::read_file;
using ::testing::StartsWith;
using testing::write_file;
using Lines = std::vector<std::string>;

Lines lines_of(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class Completion : public testing::Program {
 protected:
  // What bash offers for the last of these words, a line each. "compopt -o default" stands for
  // files, which readline then completes by itself, "compopt -o dirnames" for directories.
  Lines bash(const std::string& words) const {
    const std::string script = path("script"), out = path("offered");
    write_file(script, run({"completion", "bash"}).out +
                           "compopt() { echo \"compopt $*\"; }\n"
                           "COMP_WORDS=(" +
                           words +
                           ")\n"
                           "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                           "_gladius\n"
                           "((${#COMPREPLY[@]} == 0)) || printf '%s\\n' \"${COMPREPLY[@]}\"\n");
    EXPECT_EQ(std::system(("bash --norc " + script + " >" + out + " 2>&1").c_str()), 0) << words;
    return lines_of(read_file(out));
  }

  // The commands in the help of the program or of a command.
  Lines commands(const Lines& command) const {
    Lines arguments = command;
    arguments.push_back("--help");
    const std::string help = run(arguments).out;
    Lines names;
    bool below = false;
    for (const std::string& line : lines_of(help)) {
      if (line.empty()) below = false;
      const std::size_t end = line.find(' ', 2);
      if (below && line.starts_with("  ") && end > 2) names.push_back(line.substr(2, end - 2));
      // CLI11 2.4 writes its headings in capitals.
      if (line == "Subcommands:" || line == "SUBCOMMANDS:") below = true;
    }
    return names;
  }

  // The long options that a help lists.
  static Lines options(const std::string& help) {
    static const std::regex option(R"(\n *(?:-\w,(?: +)?)?(--[a-z-]+))");
    Lines names;
    for (std::sregex_iterator it(help.begin(), help.end(), option), end; it != end; ++it) {
      names.push_back((*it)[1]);
    }
    return names;
  }
};

TEST_F(Completion, BashOffersCommandsAndTheirOptions) {
  EXPECT_THAT(bash("gladius dis"), ElementsAre("distill"));
  EXPECT_THAT(bash("gladius tokenizer ''"), ElementsAre("train"));
  EXPECT_THAT(bash("gladius --threads 2 ver"), ElementsAre("verify"));
  EXPECT_THAT(bash("gladius distill --re"), ElementsAre("--resume"));
  EXPECT_THAT(bash("gladius distill --log"), ElementsAre("--log-level"));
  EXPECT_THAT(bash("gladius distill run.json ''"), Contains("--out"));
  EXPECT_THAT(bash("gladius tokenizer train --vo"), ElementsAre("--vocab-size"));
}

TEST_F(Completion, BashOffersWhatAnOptionTakes) {
  EXPECT_THAT(bash("gladius distill ''"), ElementsAre("compopt -o default"));
  EXPECT_THAT(bash("gladius distill --out ''"), ElementsAre("compopt -o dirnames"));
  EXPECT_THAT(bash("gladius distill --out = ru"), ElementsAre("compopt -o dirnames"));
  EXPECT_THAT(bash("gladius distill --out runs/a ''"), ElementsAre("compopt -o default"));
  EXPECT_THAT(bash("gladius generate --model m --tools ''"), ElementsAre("compopt -o default"));
  EXPECT_THAT(bash("gladius watch runs/a ''"), ElementsAre("compopt -o dirnames"));
  EXPECT_THAT(bash("gladius eval m --data a.jsonl b"), ElementsAre("compopt -o default"));
  EXPECT_THAT(bash("gladius convert --dtype q4"), ElementsAre("q4_0", "q4_1", "q4_k"));
  EXPECT_THAT(bash("gladius convert --dtype ="), Contains("bf16"));
  EXPECT_THAT(bash("gladius tokenizer train --kind ''"), ElementsAre("llama", "byte-level"));
  EXPECT_THAT(bash("gladius eval --loss-on ''"), ElementsAre("all", "assistant"));
  EXPECT_THAT(bash("gladius --log-level ''"), ElementsAre("error", "warning", "info", "debug"));
  EXPECT_THAT(bash("gladius logits m --top ''"), ElementsAre());
}

TEST_F(Completion, BothShellsAndTheManualHaveAllThatTheHelpsList) {
  const std::string zsh = run({"completion", "zsh"}).out;
  const Lines names = commands({});
  EXPECT_THAT(names, IsSupersetOf({"distill", "watch", "completion"}));
  EXPECT_THAT(bash("gladius ''"), IsSupersetOf(names));
  for (const std::string& name : names) {
    const std::string help = run({name, "--help"}).out, page = run({"manual", name}).out;
    EXPECT_THAT(zsh, HasSubstr("_gladius_" + name + "() {"));
    const Lines listed = options(help);
    EXPECT_THAT(listed, Contains("--help")) << help;
    EXPECT_THAT(bash("gladius " + name + " -"), IsSupersetOf(listed));
    for (const std::string& option : listed) {
      EXPECT_THAT(zsh, AnyOf(HasSubstr(option + "["), HasSubstr(option + "=[")));
      EXPECT_THAT(page, HasSubstr(std::regex_replace(option, std::regex("-"), "\\-")));
    }
  }
  EXPECT_EQ(commands({"tokenizer"}), Lines{"train"});
}

TEST_F(Completion, ZshTakesItsScript) {
  if (std::system("command -v zsh >/dev/null") != 0) GTEST_SKIP() << "there is no zsh";
  write_file(path("_gladius"), run({"completion", "zsh"}).out);
  EXPECT_EQ(std::system(("zsh -n " + path("_gladius")).c_str()), 0);
}

TEST_F(Completion, TheManualHasAPageOfEachCommand) {
  EXPECT_EQ(run({"manual", "--out", path("man1")}).code, 0);
  EXPECT_EQ(run({"manual", "--out", path("man1")}).code, 0);  // in the place of the first
  Lines names = commands({});
  names.push_back("tokenizer-train");
  for (const std::string& name : names) {
    const std::string page = read_file(path("man1") + "/gladius-" + name + ".1");
    EXPECT_THAT(page, HasSubstr("\n.SH NAME\ngladius-" + name + " \\- "));
    EXPECT_THAT(page, AllOf(HasSubstr("\n.SH EXAMPLES\n"), HasSubstr("\n.SH COMMON OPTIONS\n")));
    EXPECT_THAT(page, HasSubstr("\\fBgladius\\fR(1)"));
    for (const std::string& line : lines_of(page)) EXPECT_THAT(line, Not(StartsWith("'")));
  }
  const std::string page = read_file(path("man1") + "/gladius.1");
  EXPECT_THAT(page, HasSubstr("\\fBgladius\\-watch\\fR(1)"));
  EXPECT_EQ(page, run({"manual"}).out);
  EXPECT_THAT(read_file(path("man1") + "/gladius-tokenizer.1"),
              HasSubstr("\\fBgladius\\-tokenizer\\-train\\fR(1)"));
  expect_failure({"manual", "frobnicate"}, "there is no command \"frobnicate\"");
}

}  // namespace
}  // namespace gladius
