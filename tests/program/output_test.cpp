// The program's streams where they are closed, full, or have lost their reader.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "train/tiny_models.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Json;
using testing::read_file;
using ::testing::StartsWith;
using testing::TinyRun;
using testing::write_file;

class Output : public ::testing::Test {
 protected:
  std::string path(const char* name) const { return inputs_.directory / name; }

  // Exit code of a line for the shell, in which $G is the program; 128 + signal as shells have it.
  int shell(const std::string& line) const {
    const std::string command =
        "G=" + std::string(GLADIUS_PROGRAM) + "; cd " + path("") + "; " + line;
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }
  std::string error() const { return read_file(path("err")); }

  const std::string tokenize_ =
      "$G tokenize --tokenizer " GLADIUS_SOURCE_DIR "/configs/default/tokenizer --text Hello ";
  TinyRun inputs_;
};

TEST_F(Output, ResultsThatAreLostAreAFailureOfOneLine) {
  EXPECT_EQ(shell(tokenize_ + ">/dev/full 2>err"), 1);
  EXPECT_EQ(error(),
            "gladius: error: cannot write to standard output: No space left on device; results are "
            "lost\n");
  EXPECT_EQ(shell(tokenize_ + ">&- 2>err"), 1);
  EXPECT_EQ(error(),
            "gladius: error: cannot write to standard output: it is closed; results are lost\n");
  for (const char* arguments : {"--help", "--version", "tokenize --help", "inspect ."}) {
    EXPECT_EQ(shell("$G " + std::string(arguments) + " >/dev/full 2>err"), 1) << arguments;
    EXPECT_THAT(error(), StartsWith("gladius: error: ")) << arguments;
  }
}

TEST_F(Output, AReaderThatHasGoneEndsTheProgramQuietly) {
  EXPECT_EQ(shell("{ { sleep 0.3; " + tokenize_ + "2>err; echo $? >code; } | :; }"), 0);
  EXPECT_EQ(read_file(path("code")), "141\n");
  EXPECT_THAT(error(), IsEmpty());
  // Where the signal is ignored there is a line instead.
  EXPECT_EQ(shell("{ { trap '' PIPE; sleep 0.3; " + tokenize_ + "2>err; echo $? >code; } | :; }"),
            0);
  EXPECT_EQ(read_file(path("code")), "1\n");
  EXPECT_THAT(error(), HasSubstr("standard output: Broken pipe"));
}

TEST_F(Output, ALogThatCannotBeWrittenChangesNoExitCode) {
  for (const char* log : {"2>/dev/full", "2>&-", "<&- 2>&-"}) {
    EXPECT_EQ(shell(tokenize_ + log + " >out"), 0) << log;
    EXPECT_THAT(read_file(path("out")), EndsWith("\n"));
    EXPECT_EQ(shell("$G tokenize --tokenizer none --text x " + std::string(log)), 1) << log;
    EXPECT_EQ(shell("$G frobnicate " + std::string(log)), 2) << log;
  }
}

class DistillOutput : public Output {
 protected:
  void SetUp() override {
    Json run = inputs_.run_file();
    run["steps"] = 12;
    run["log_every"] = 1;
    run["checkpoint_every"] = 5;
    write_file(path("run.json"), run.dump());
  }
  // A whole run, whose files hold nothing but their own.
  void expect_whole(const std::string& out) const {
    EXPECT_TRUE(std::filesystem::exists(path("") + out + "/model/config.json")) << out;
    std::istringstream metrics(read_file(path("") + out + "/metrics.jsonl"));
    int lines = 0;
    for (std::string line; std::getline(metrics, line); ++lines) {
      ASSERT_TRUE(Json::accept(line)) << line;
    }
    EXPECT_EQ(lines, 12);
  }
  const std::string distill_ = "$G distill run.json --threads 1 --out ";
};

TEST_F(DistillOutput, ARunOutlivesItsLog) {
  EXPECT_EQ(shell(distill_ + "a 2>/dev/full >out"), 0);
  expect_whole("a");
  EXPECT_EQ(shell(distill_ + "b 2>&- >out"), 0);
  expect_whole("b");
  EXPECT_EQ(shell("{ { " + distill_ + "c 2>&1 >out; echo $? >code; } | head -1 >/dev/null; }"), 0);
  EXPECT_EQ(read_file(path("code")), "0\n");
  expect_whole("c");
}

TEST_F(DistillOutput, ARunThatCannotShowItsResultsIsCompleteAndFails) {
  EXPECT_EQ(shell(distill_ + "a >/dev/full 2>err"), 1);
  EXPECT_THAT(error(), AllOf(HasSubstr("gladius: warning: cannot write to standard output"),
                             HasSubstr("the run itself is complete, in a\n")));
  expect_whole("a");
  EXPECT_EQ(shell("{ { " + distill_ + "b 2>&1; echo $? >code; } | head -1 >/dev/null; }"), 0);
  EXPECT_EQ(read_file(path("code")), "1\n");
  expect_whole("b");
}

TEST_F(DistillOutput, ClosedStreamsDoNotLeadIntoTheRunsFiles) {
  shell(distill_ + "a <&- >&- 2>&-");
  expect_whole("a");
  EXPECT_EQ(shell("$G distill run.json --threads 1 --out a --resume 2>err >out"), 0) << error();
}

}  // namespace
}  // namespace gladius
