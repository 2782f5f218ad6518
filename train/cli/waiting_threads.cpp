#include "waiting_threads.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace gladius::cli {

void shorten_waits(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  // By its own path, not as /proc/self/exe, which would be the name that other programs see.
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error || ::setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0) != 0) return;
  ::execv(program.c_str(), argv);
}

}  // namespace gladius::cli
