// Ctrl-C, kill, a terminal that closes and nohup, while `gladius distill` runs.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <thread>

#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/run_directory.h"
#include "train/tiny_models.h"

extern char** environ;

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::read_file;
using testing::TinyRun;
using testing::write_file;

constexpr std::array kStopSignals = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

// A pipe that takes nothing more until it is read: who writes to it waits.
class FullPipe {
 public:
  FullPipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error("pipe2");
    const std::string bytes(4096, '.');
    while (::write(ends_[1], bytes.data(), bytes.size()) > 0) {
    }
    ::fcntl(ends_[1], F_SETFL, 0);  // waits from here on
  }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;
  ~FullPipe() {
    for (const int end : ends_) ::close(end);
  }
  int end_to_write() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{};
};

// A process whose standard error is read line by line.
class Running {
 public:
  Running(std::vector<std::string> words, int out) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    EXPECT_EQ(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    err_ = ends[0];
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    ::close(err_);
    if (waited_) return;
    send(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void send(int signal) const { ::kill(pid_, signal); }
  // Reads until `text` has come, after what was read before; false where it never does.
  bool says(const std::string& text) {
    std::size_t found = 0;
    while ((found = said_.find(text, looked_)) == std::string::npos) {
      if (!read_more()) return false;
    }
    looked_ = found + text.size();
    return true;
  }
  // All of standard error; the process's status goes to `status`.
  std::string end(int& status) {
    while (read_more()) {
    }
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    waited_ = true;
    return said_;
  }

 private:
  bool read_more() {
    char buffer[4096];
    const ssize_t size = ::read(err_, buffer, sizeof buffer);
    if (size > 0) said_.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
  }

  pid_t pid_ = 0;
  int err_ = -1;
  std::string said_;
  std::size_t looked_ = 0;
  bool waited_ = false;
};

class Signals : public ::testing::Test {
 protected:
  // A run that no test waits for the end of.
  Json endless() const {
    Json run = inputs_.run_file();
    run["steps"] = 10'000'000;
    run["optimizer"] = {{"lr", 0.001}};
    run["checkpoint_every"] = 10'000'000;
    run["log_every"] = 1;
    return run;
  }
  // Which evaluates its expert for seconds before the first step.
  Json waiting() const {
    testing::Rng rng(2);
    const auto examples = testing::learnable_examples(rng, 1, 500, 500, TinyRun::kVocabulary);
    std::string lines;
    for (int i = 0; i < 300; ++i) lines += testing::as_jsonl(examples);
    write_file(inputs_.directory / "eval.jsonl", lines);
    Json run = inputs_.distillation_file();
    run["data"]["eval"] = "eval.jsonl";
    return run;
  }
  std::vector<std::string> command(const Json& run) const {
    write_file(inputs_.directory / "run.json", run.dump());
    std::filesystem::remove_all(paths_.directory);
    return {GLADIUS_PROGRAM, "distill", inputs_.directory / "run.json", "--out", paths_.directory,
            "--threads",     "1"};
  }
  // Its table is not looked at.
  int dropped() {
    if (null_ < 0) null_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    return null_;
  }
  ~Signals() override { ::close(null_); }

  TinyRun inputs_;
  const train::RunPaths paths_{inputs_.directory / "out"};
  int null_ = -1;
};

TEST_F(Signals, BeforeTheFirstStepOneEndsTheRunAtOnce) {
  const std::vector<std::string> words = command(waiting());
  for (const int signal : kStopSignals) {
    std::filesystem::remove_all(paths_.directory);
    Running run(words, dropped());
    ASSERT_TRUE(run.says("data.eval: "));  // the directory is there, the expert is evaluated next
    run.send(signal);
    int status = 0;
    EXPECT_THAT(
        run.end(status),
        AllOf(HasSubstr("gladius: error: stopped before the first step was done; to resume: "),
              HasSubstr(" --resume\n"), Not(HasSubstr("stopping after this step"))));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << signal;
    EXPECT_EQ(read_file(paths_.metrics()), "");
  }
}

TEST_F(Signals, DuringTheStepsOneMakesACheckpointAndSaysHowToGoOn) {
  const std::vector<std::string> words = command(endless());
  for (const int signal : kStopSignals) {
    std::filesystem::remove_all(paths_.directory);
    Running run(words, dropped());
    ASSERT_TRUE(run.says("step 2/"));
    run.send(signal);
    int status = 0;
    const std::string err = run.end(status);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << signal;
    const auto checkpoints = train::list_checkpoints(paths_.checkpoints());
    ASSERT_EQ(checkpoints.size(), 1u);
    EXPECT_THAT(
        err,
        AllOf(HasSubstr("gladius: stopping after this step, with a checkpoint; once more stops "
                        "at once\n"),
              HasSubstr("gladius: error: stopped after " + std::to_string(checkpoints[0].step) +
                        " of 10000000 steps, with a checkpoint; to resume: gladius distill "),
              HasSubstr(" --resume\n")));
  }
}

TEST_F(Signals, OneThatWasIgnoredAtTheStartStaysIgnored) {
  const std::vector<std::string> words = command(endless());
  for (const int ignored : kStopSignals) {
    std::filesystem::remove_all(paths_.directory);
    const auto before = ::signal(ignored, SIG_IGN);  // as nohup and trap '' HUP do it
    Running run(words, dropped());
    ::signal(ignored, before);
    ASSERT_TRUE(run.says("step 2/"));
    run.send(ignored);
    // Two lines at least are of steps that began after it.
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(run.says("\nstep ")) << ignored;
    run.send(ignored == SIGTERM ? SIGINT : SIGTERM);
    int status = 0;
    EXPECT_THAT(run.end(status), HasSubstr("with a checkpoint; to resume: "));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << ignored;
  }
}

// The run waits in its first step until somebody reads its table, which nobody does.
TEST_F(Signals, ASecondOneEndsTheRunAtOnce) {
  const std::vector<std::string> words = command(endless());
  // The program keeps SIGPIPE back while it writes.
  for (const auto& [first, second] :
       {std::pair(SIGTERM, SIGINT), std::pair(SIGINT, SIGINT), std::pair(SIGHUP, SIGTERM)}) {
    std::filesystem::remove_all(paths_.directory);
    const FullPipe table;
    Running run(words, table.end_to_write());
    const auto has_a_step = [&] {
      return std::filesystem::exists(paths_.metrics()) && !read_file(paths_.metrics()).empty();
    };
    while (!has_a_step()) std::this_thread::yield();
    run.send(first);
    ASSERT_TRUE(run.says("stopping after this step"));
    run.send(second);
    int status = 0;
    EXPECT_THAT(run.end(status), Not(HasSubstr("gladius: error")));
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == second) << first;
    EXPECT_TRUE(train::list_checkpoints(paths_.checkpoints()).empty());
  }
}

}  // namespace
}  // namespace gladius
