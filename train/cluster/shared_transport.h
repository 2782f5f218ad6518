// Ranks that are threads of one process: for tests, and for who wants to see what ranks do.
#pragma once

#include <functional>

#include "gladius/train/cluster/communicator.h"

namespace gladius::cluster {

/// Calls `body` once for each of `size` ranks, each on a thread of its own, and returns when all
/// have ended. What one throws ends the exchanges of the others with a ClusterError that names the
/// rank; the first that was thrown is thrown again here. (Threads of a parallel_for wait for each
/// other as long as there is one pool: let num_threads() be 1 where ranks compute.)
void run_ranks(int size, const std::function<void(Communicator&)>& body);

}  // namespace gladius::cluster
