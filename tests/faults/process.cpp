#include "faults/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <stdexcept>
#include <thread>

#include "support/temporary_directory.h"

extern char** environ;

namespace gladius::faults {

namespace {

std::vector<std::string> with_program(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{GLADIUS_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const std::filesystem::path& err,
                 const std::map<std::string, std::string>& environment)
    : Process(err, with_program(arguments), environment) {}

Process::Process(std::filesystem::path err, std::vector<std::string> words,
                 const std::map<std::string, std::string>& environment)
    : err_(std::move(err)) {
  std::vector<std::string> settings;
  for (const auto& [name, value] : environment) settings.push_back(name + "=" + value);
  std::vector<char*> argv, envp;
  for (std::string& word : words) argv.push_back(word.data());
  for (std::string& one : settings) envp.push_back(one.data());
  for (char** inherited = environ; *inherited != nullptr; ++inherited) envp.push_back(*inherited);
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int error = ::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + words[0]);
}

Process::~Process() {
  if (status_) return;
  send(SIGKILL);
  wait();
}

void Process::send(int signal) const { ::kill(pid_, signal); }

bool Process::runs_after(std::chrono::microseconds time) {
  std::this_thread::sleep_for(time);
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return !status_;
}

Ending Process::wait() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, 0) == pid_) status_ = status;
  Ending ending{.code = {}, .signal = {}, .err = testing::read_file(err_)};
  if (WIFEXITED(*status_)) ending.code = WEXITSTATUS(*status_);
  if (WIFSIGNALED(*status_)) ending.signal = WTERMSIG(*status_);
  return ending;
}

}  // namespace gladius::faults
