#include "waiting_threads.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace gladius::cli {
namespace {

// Whether it may be a command with many parallel loops: to start anew takes 12 ms, as long as
// others need for all they do.
bool computes(char** argv) {
  for (; *argv; ++argv) {
    for (const std::string_view command :
         {"align", "distill", "eval", "generate", "gradients", "logits"}) {
      if (*argv == command) return true;
    }
  }
  return false;
}

}  // namespace

void shorten_waits(char** argv) {
  if (!computes(argv) || std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  // By its own path, not as /proc/self/exe, which would be the name that other programs see.
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error || ::setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0) != 0) return;
  ::execv(program.c_str(), argv);
}

}  // namespace gladius::cli
