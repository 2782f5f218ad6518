// What becomes of the thread pool (parallel.h) in a process that was forked.
#pragma once

namespace gladius::detail {

/// To be called before anything that may start OpenMP's threads. fork() does not copy them, and
/// OpenMP would wait for them for ever, so a child forked afterwards runs everything on its one
/// thread: in the same ranges, so with the same results but for the last bits of BLAS's products.
/// A child forked earlier has threads of its own.
void use_pool();

}  // namespace gladius::detail
