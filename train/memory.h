// Whether a run fits the machine's memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "gladius/models/config.h"
#include "gladius/train/run_config.h"

namespace gladius {

/// Parameters of a decoder of this architecture, without making one.
std::int64_t count_parameters(const ModelConfig& config);

/// Elements that a layer's operations keep for a token until the backward pass.
std::int64_t activations_per_token(const ModelConfig& config);

/// An estimate, in bytes.
struct MemoryNeed {
  std::uint64_t weights = 0;      // F32
  std::uint64_t gradients = 0;    // and the largest of them once more, while it is added
  std::uint64_t moments = 0;      // AdamW's two
  std::uint64_t activations = 0;  // of all layers, or of one and every layer's input
  std::uint64_t logits = 0;       // a block of the student's, of the expert's
  std::uint64_t program = 0;      // code, buffers of the BLAS library
  std::uint64_t expert = 0;       // files of the largest, mapped: the system can drop such pages

  /// What cannot be dropped.
  std::uint64_t required() const {
    return weights + gradients + moments + activations + logits + program;
  }
};

/// `tokens`: of the largest micro-batch. `expert_bytes`, `expert_vocabulary`: of the largest
/// expert.
MemoryNeed estimate_memory(const ModelConfig& student, bool activation_checkpointing,
                           std::int64_t tokens, std::uint64_t expert_bytes,
                           std::int64_t expert_vocabulary);
/// For a run, with what its experts' directories hold.
MemoryNeed estimate_memory(const RunConfig& config, const ModelConfig& student,
                           std::int64_t tokens);

struct AvailableMemory {
  std::uint64_t bytes = 0;
  std::string limited_by;  // "MemAvailable" or the control group's file
};

/// The least of MemAvailable and what the process's control groups (version 1 or 2) have left;
/// nothing where neither is known. `root`: where /proc and /sys are.
std::optional<AvailableMemory> available_memory(const std::filesystem::path& root = "/");

/// Error naming what is needed and what there is if `need` does not fit.
void require_memory(const MemoryNeed& need, const AvailableMemory& available);

}  // namespace gladius
