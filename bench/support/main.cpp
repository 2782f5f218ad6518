// The main function of the benchmark programs: Google Benchmark's, which also says what machine it
// is and what it can do.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include "gladius/tensor/kernels/blas_core_type.h"
#include "gladius/tensor/parallel.h"
#include "support/fraction_reporter.h"
#include "support/operands.h"
#include "support/roofline.h"

#if defined(__clang__)
#define GLADIUS_COMPILER __VERSION__
#else
#define GLADIUS_COMPILER "GCC " __VERSION__
#endif

namespace {

// JSON and CSV, which programs read, stay as they are.
void run_benchmarks() {
  // The library's own object, which it uses again.
  const auto* chosen = benchmark::CreateDefaultDisplayReporter();
  if (dynamic_cast<const benchmark::ConsoleReporter*>(chosen) == nullptr) {
    benchmark::RunSpecifiedBenchmarks();
    return;
  }
  using benchmark::ConsoleReporter;
  const bool colour = ::isatty(STDOUT_FILENO) == 1;
  gladius::bench::FractionReporter reporter(colour ? ConsoleReporter::OO_Color
                                                   : ConsoleReporter::OO_None);
  benchmark::RunSpecifiedBenchmarks(&reporter);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("threads", fmt::format("{}", gladius::num_threads()));
  benchmark::AddCustomContext("blas_core_type", gladius::kernels::blas_core_type());
  benchmark::AddCustomContext("compiler", GLADIUS_COMPILER);
  benchmark::AddCustomContext("peak_flop_per_s",
                              fmt::format("{}", gladius::bench::multiply_add_peak()));
  benchmark::AddCustomContext("triad_bytes_per_s",
                              fmt::format("{}", gladius::bench::triad_bandwidth()));
  // Filled before a clock runs.
  gladius::bench::activations();
  gladius::bench::weights();
  gladius::bench::results();
  run_benchmarks();
  benchmark::Shutdown();
}
