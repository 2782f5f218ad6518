// Whether a run fits the machine's memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "gladius/models/language_model.h"
#include "gladius/tensor/precision.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// What training or using a model takes, in bytes: an estimate.
struct MemoryNeed {
  std::uint64_t weights = 0;      // but those that are read where they lie in their files
  std::uint64_t gradients = 0;    // and the largest of them once more, or what an update takes
  std::uint64_t moments = 0;      // the optimizer's
  std::uint64_t agreed = 0;       // with cluster.local_updates: what ranks agreed on, its momentum
  std::uint64_t activations = 0;  // of all layers, or of one and every layer's input
  std::uint64_t cache = 0;        // of keys and values, where text is generated
  std::uint64_t logits = 0;       // those held at a time: in training a block, and the expert's
  std::uint64_t program = 0;      // code, buffers of the BLAS library
  std::uint64_t expert = 0;       // files of the largest, mapped: the system can drop such pages

  /// What cannot be dropped.
  std::uint64_t required() const {
    return weights + gradients + moments + agreed + activations + cache + logits + program;
  }
};

/// Of a run with F32 weights. `student`: its parameters need no memory yet. `tokens`: of the
/// largest micro-batch. `expert_bytes`, `expert_vocabulary`: of the largest expert.
MemoryNeed estimate_memory(const LanguageModel& student, bool activation_checkpointing,
                           std::int64_t tokens, std::uint64_t expert_bytes,
                           std::int64_t expert_vocabulary, const OptimizerConfig& optimizer = {},
                           Precision precision = Precision::f32);
/// For a run, with what its experts' directories hold.
MemoryNeed estimate_memory(const RunConfig& config, const LanguageModel& student,
                           std::int64_t tokens);

struct AvailableMemory {
  std::uint64_t bytes = 0;
  std::string limited_by;  // "MemAvailable" or the control group's file
};

/// The least of MemAvailable and what the process's control groups (version 1 or 2) have left;
/// nothing where neither is known. `root`: where /proc and /sys are.
std::optional<AvailableMemory> available_memory(const std::filesystem::path& root = "/");

/// Of this process, in bytes; nothing where the system does not say.
std::optional<std::uint64_t> resident_memory();

/// Error naming what is needed and what there is if `need` does not fit.
void require_memory(const MemoryNeed& need, const AvailableMemory& available);

}  // namespace gladius::train
