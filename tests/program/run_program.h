// Runs the program as a user does. For the tests of this folder.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "support/temporary_directory.h"

extern char** environ;

namespace gladius::testing {

struct ProgramResult {
  int code;
  std::string out, err;
  std::uint64_t peak_bytes;  // resident; not less than this process's own peak, which it includes
};

/// `gladius ARGUMENTS`; its streams are files of `directory`.
inline ProgramResult run_program(const std::filesystem::path& directory,
                                 std::vector<std::string> arguments,
                                 const std::string& input = "") {
  arguments.insert(arguments.begin(), GLADIUS_PROGRAM);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string in = directory / "stdin", out = directory / "stdout",
                    err = directory / "stderr";
  write_file(in, input);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), flags, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), flags, 0600);
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, GLADIUS_PROGRAM, &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  rusage usage{};
  EXPECT_EQ(::wait4(child, &status, 0, &usage), child);
  EXPECT_TRUE(WIFEXITED(status)) << read_file(err);
  return {WEXITSTATUS(status), read_file(out), read_file(err),
          static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
}

}  // namespace gladius::testing
