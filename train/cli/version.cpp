// Compiled by itself, as every commit has it compiled again.
#include "version.h"

#include <nlohmann/json.hpp>
#include <string>

#include "commit.h"
#include "gladius/tensor/machine.h"
#include "output.h"

namespace gladius::cli {
namespace {

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

const char* program_version() { return GLADIUS_VERSION; }

void print_version(bool json) {
  if (json) {
    const nlohmann::ordered_json document{{"version", GLADIUS_VERSION},
                                          {"commit", GLADIUS_COMMIT},
                                          {"compiler", compiler()},
                                          {"blas", blas_library()},
                                          {"instruction_set", kernel_instruction_set()}};
    print("{}\n", document.dump(2));
    return;
  }
  print(
      "gladius {}\ncommit            {}\ncompiler          {}\nBLAS              {}\n"
      "instruction sets  {}\n",
      GLADIUS_VERSION, GLADIUS_COMMIT, compiler(), blas_library(), kernel_instruction_set());
}

}  // namespace gladius::cli
