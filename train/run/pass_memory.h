// Whether one pass over a text fits the machine's memory.
#pragma once

#include <cstdint>
#include <string>

#include "gladius/models/language_model.h"
#include "gladius/train/run/memory.h"

namespace gladius::train {

enum class Pass {
  logits,     // forward, nothing kept but the last layer's output
  generate,   // forward, with a key/value cache
  gradients,  // forward and backward, with F32 weights and their gradients
};

/// About the least that the pass needs for one text of `tokens`.
MemoryNeed pass_memory(const LanguageModel& model, Pass pass, std::int64_t tokens);

/// Error naming tokens and bytes if that is more than available_memory(); `text` is what the tokens
/// are in the message ("the prompt").
void require_memory_for_pass(const LanguageModel& model, Pass pass, std::int64_t tokens,
                             const std::string& text);

}  // namespace gladius::train
