// The ranks of an MPI job.
#pragma once

#include <memory>

#include "gladius/train/cluster/communicator.h"

namespace gladius::cluster {

/// Whether the program was built with MPI (Open MPI).
bool has_mpi();

/// Loads Open MPI's library, which nothing else does, so that a program without a launcher starts
/// as fast as one without MPI, and initialises it. To be called once in a process that a launcher
/// has started (launcher.h). Its destructor finalises MPI, where no exchange has failed.
/// ConfigError if the program was built without MPI, or if the library is not there.
///
/// While it waits it looks for messages a few thousand times a second and sleeps in between, so
/// that the threads that compute have the processor.
std::unique_ptr<Communicator> make_mpi_communicator();

}  // namespace gladius::cluster
