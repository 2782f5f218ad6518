// What `gladius distill` shows while it runs, on a terminal and elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <regex>
#include <sstream>

#include "train/tiny_models.h"

namespace gladius {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::read_file;
using testing::TinyRun;
using testing::write_file;

// A chroot or container may come without /dev/pts.
bool has_terminals() {
  int terminal = -1, program_side = -1;
  if (::openpty(&terminal, &program_side, nullptr, nullptr, nullptr) != 0) return false;
  ::close(terminal);
  ::close(program_side);
  return true;
}

class ProgressProgram : public ::testing::Test {
 protected:
  static constexpr int kSteps = 25;

  void SetUp() override {
    Json run = inputs_.run_file();
    run["steps"] = kSteps;
    run["log_every"] = 10;
    write_file(path("run.json"), run.dump());
  }
  std::string path(const char* name) const { return inputs_.directory / name; }

  std::string on_terminal(unsigned short columns) const {
    return on_terminal(columns, {"distill", path("run.json"), "--out", path("out")});
  }
  // Everything on standard error, which is a terminal of so many columns.
  static std::string on_terminal(unsigned short columns, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "gladius");
    arguments.insert(arguments.end(), {"--threads", "1"});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    winsize size{};
    size.ws_row = 24;
    size.ws_col = columns;
    int terminal = -1;
    const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
    if (child == 0) {
      if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(126);
      ::execv(GLADIUS_PROGRAM, argv.data());
      ::_exit(127);
    }
    std::string text;
    char buffer[4096];
    for (ssize_t size_read = 0; (size_read = ::read(terminal, buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(size_read));
    }
    ::close(terminal);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << text;
    return text;
  }

  // Standard output and standard error as files.
  std::pair<std::string, std::string> elsewhere(const std::string& options) const {
    const std::string command = std::string(GLADIUS_PROGRAM) + " distill " + path("run.json") +
                                " --threads 1 --out " + path("out") + " " + options + " >" +
                                path("stdout") + " 2>" + path("stderr");
    EXPECT_EQ(std::system(command.c_str()), 0) << read_file(path("stderr"));
    return {read_file(path("stdout")), read_file(path("stderr"))};
  }

  static std::vector<std::string> lines(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> found;
    for (std::string line; std::getline(in, line);) found.push_back(line);
    return found;
  }

  // What was drawn after each return to the beginning of the line.
  static std::vector<std::string> drawn(const std::string& text) {
    const std::string erase = "\r\x1b[K";
    std::vector<std::string> found;
    for (std::size_t at = text.find(erase); at != std::string::npos;) {
      const std::size_t begin = at + erase.size(), end = text.find_first_of("\r\n", begin);
      found.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
      at = text.find(erase, begin);
    }
    return found;
  }

  TinyRun inputs_;
};

TEST_F(ProgressProgram, ATerminalHasABarThatIsRedrawnEveryStep) {
  if (!has_terminals()) GTEST_SKIP() << "no pseudo terminals here (is /dev/pts mounted?)";
  const std::string text = on_terminal(120);
  int bars = 0;
  for (const std::string& line : drawn(text)) {
    bars += std::regex_match(
        line,
        std::regex(
            R"(\[=* *\] step \d+/25  loss [\d.]+  mean [\d.]+  last 100 [\d.]+  \d+ tokens/s  [\d:]+ left)"));
  }
  EXPECT_EQ(bars, kSteps);
  EXPECT_THAT(text, HasSubstr("[====================] step 25/25"));
  EXPECT_THAT(text, HasSubstr("\r\x1b[Kgladius: done: "));  // where the bar was
}

TEST_F(ProgressProgram, TheBarNeverWraps) {
  if (!has_terminals()) GTEST_SKIP() << "no pseudo terminals here (is /dev/pts mounted?)";
  for (const unsigned short columns : {80, 66, 40, 1}) {
    std::filesystem::remove_all(path("out"));
    std::size_t longest = 0;
    for (const std::string& line : drawn(on_terminal(columns))) {
      if (!line.starts_with("gladius: ")) longest = std::max(longest, line.size());
    }
    EXPECT_LT(longest, columns);
    EXPECT_GE(longest + 8, std::min<std::size_t>(columns, 60));
  }
}

TEST_F(ProgressProgram, TrainingATokenizerHasABarToo) {
  if (!has_terminals()) GTEST_SKIP() << "no pseudo terminals here (is /dev/pts mounted?)";
  write_file(path("text.txt"), "to be or not to be, that is the question\n");
  std::vector<std::string> arguments{"tokenizer",    "train", "--data", path("text.txt"),
                                     "--vocab-size", "300",   "--kind", "llama"};
  arguments.insert(arguments.end(), {"--out", path("tokenizer")});
  const std::string text = on_terminal(80, arguments);
  const auto bars = drawn(text);
  ASSERT_FALSE(bars.empty());
  EXPECT_TRUE(std::regex_match(bars[0], std::regex(R"(\[=* *\] reads the data: \d+ of \d+)")))
      << bars[0];
  EXPECT_FALSE(bars.back().starts_with("[")) << "the bar is left over: " << text;
}

TEST_F(ProgressProgram, ElsewhereThereIsAPlainLineEveryLogEverySteps) {
  const auto [out, err] = elsewhere("");
  EXPECT_THAT(err, Not(ContainsRegex("[\r\x1b]")));
  std::vector<std::string> steps;
  for (const std::string& line : lines(err)) {
    if (line.starts_with("step ")) steps.push_back(line.substr(0, line.find("  ")));
  }
  EXPECT_THAT(steps, ::testing::ElementsAre("step 1/25", "step 11/25", "step 21/25", "step 25/25"));
  const auto rows = lines(out);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_THAT(rows[0], ContainsRegex("^ +Step +Loss +Running mean +Change from start$"));
  EXPECT_THAT(rows[1], ContainsRegex("^ +0 .*baseline$"));
  EXPECT_THAT(rows[4], ContainsRegex("^ +24 .*%$"));
}

TEST_F(ProgressProgram, JsonIsARecordALine) {
  const auto [out, err] = elsewhere("--json --log-level warning");
  EXPECT_EQ(err, "");
  std::vector<int> steps;
  for (const std::string& line : lines(out)) steps.push_back(Json::parse(line).at("step"));
  EXPECT_THAT(steps, ::testing::ElementsAre(0, 10, 20, 24));
}

}  // namespace
}  // namespace gladius
