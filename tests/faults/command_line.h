// The main function of the programs that break runs.
#pragma once

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

namespace gladius::faults {

/// `NAME [--short] [--seed N]`: 0 if Faults(is_short, seed).run().
template <class Faults>
int run_program(const char* name, int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  // What nohup, or a shell's `&`, ignores would be ignored by the runs, too.
  for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) ::signal(number, SIG_DFL);
  bool is_short = false;
  unsigned seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--short") {
      is_short = true;
    } else if (word == "--seed" && i + 1 < argc) {
      seed = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
    } else {
      fmt::print(stderr, "usage: {} [--short] [--seed N]\n", name);
      return 2;
    }
  }
  fmt::print("seed {}\n", seed);
  return Faults(is_short, seed).run() ? 0 : 1;
}

}  // namespace gladius::faults
