#include "gladius/train/cluster/launcher.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "gladius/tensor/base/error.h"

namespace gladius::cluster {
namespace {

std::optional<int> number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return {};
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*end != '\0' || value < 0 || value > 1'000'000) return {};
  return static_cast<int>(value);
}

bool is_set(const char* name) { return std::getenv(name) != nullptr; }

}  // namespace

std::optional<Launch> find_launch() {
  // Open MPI's mpirun.
  if (const auto size = number("OMPI_COMM_WORLD_SIZE")) {
    if (*size <= 1) return {};
    return Launch{.rank = number("OMPI_COMM_WORLD_RANK").value_or(0),
                  .size = *size,
                  .local_size = number("OMPI_COMM_WORLD_LOCAL_SIZE").value_or(1)};
  }
  // srun; a batch script itself has SLURM_NTASKS, too, but not this.
  const auto size = number("SLURM_STEP_NUM_TASKS");
  if (!size || *size <= 1) return {};
  if (!is_set("PMIX_RANK") && !is_set("PMI_RANK")) {
    throw ConfigError(
        fmt::format("srun has started {} processes that do not know of each other; start them with "
                    "`srun --mpi=pmix`, or with mpirun",
                    *size));
  }
  const int nodes = number("SLURM_STEP_NUM_NODES").value_or(1);
  return Launch{.rank = number("SLURM_PROCID").value_or(0),
                .size = *size,
                .local_size = (*size + nodes - 1) / (nodes > 0 ? nodes : 1)};
}

}  // namespace gladius::cluster
