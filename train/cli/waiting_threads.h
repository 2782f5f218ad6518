// How the threads of parallel loops wait for each other.
#pragma once

namespace gladius::cli {

/// By default libgomp's threads wait by spinning for milliseconds. Beside another busy program,
/// which then cannot have the processor that the next loop waits for, each loop takes a time slice
/// of the system's: generating text becomes ten times slower. For a command that computes, this
/// starts the program anew with a wait of some ten microseconds, unless GOMP_SPINCOUNT or
/// OMP_WAIT_POLICY say otherwise; libgomp reads them when it is loaded, before main(). To be called
/// first; if it does not succeed, the program goes on as it is.
void shorten_waits(char** argv);

}  // namespace gladius::cli
