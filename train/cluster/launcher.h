// Whether this process was started as one of several.
#pragma once

#include <optional>

namespace gladius::cluster {

/// What the environment says of a process that mpirun or srun has started.
struct Launch {
  int rank = 0;
  int size = 1;
  int local_size = 1;  // ranks on this machine
};

/// Nothing without a launcher, or where it has started one process alone: then MPI is left alone.
/// ConfigError where srun has started several that do not know of each other (without --mpi).
std::optional<Launch> find_launch();

}  // namespace gladius::cluster
