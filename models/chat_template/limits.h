// What goes wrong in a template before its place is known, and how much a template may do.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace gladius::text::jinja {

enum class FailureKind {
  kMalformed,    // the template or its data are wrong: FormatError
  kUnsupported,  // correct Jinja that this engine does not do: ConfigError
  kRaised,       // raise_exception(): FormatError with the template's own message
};

/// Thrown inside the engine; whoever knows the place in the source turns it into a gladius::Error.
struct Failure {
  FailureKind kind;
  std::string message;
};

[[noreturn]] inline void fail(std::string message) {
  throw Failure{FailureKind::kMalformed, std::move(message)};
}

[[noreturn]] inline void refuse(const std::string& construct) {
  throw Failure{FailureKind::kUnsupported, construct + " is not supported"};
}

inline constexpr std::size_t kMaxText = std::size_t{64} << 20;  // bytes of one text or output
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // so that a fuzzer tries many inputs a second
inline constexpr std::size_t kMaxSteps = 200'000;
#elif defined(__SANITIZE_ADDRESS__)  // where a step takes ten times as long
inline constexpr std::size_t kMaxSteps = 4'000'000;
#else
inline constexpr std::size_t kMaxSteps = 10'000'000;  // of one rendering
#endif
inline constexpr std::size_t kBytesPerStep = 16;  // of text read or made
inline constexpr std::size_t kKeptSteps = 10;     // of what lives to the end
inline constexpr int kMaxValueDepth = 200;        // lists in lists
inline constexpr int kMaxSyntaxDepth = 100;       // brackets and blocks in one another
inline constexpr int kMaxTreeDepth = 300;         // operators on operators' results
inline constexpr int kMaxCallDepth = 1000;        // evaluations within evaluations

/// The work left to one rendering: templates come from strangers and must neither hang nor fill the
/// memory. Every evaluation, list element and 16 bytes of text read or made is a step.
class Budget {
 public:
  void step(std::size_t count = 1) {
    if (count > left_) fail("the template takes more than 10 million steps");
    left_ -= count;
  }
  void text(std::size_t bytes) {
    if (bytes > kMaxText) fail("the template makes a text of more than 64 MiB");
    step(bytes / kBytesPerStep);
  }

 private:
  std::size_t left_ = kMaxSteps;
};

}  // namespace gladius::text::jinja
