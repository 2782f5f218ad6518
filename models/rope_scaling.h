// The frequencies of rotary embeddings as configurations scale them for longer contexts.
#pragma once

#include <cstdint>
#include <memory>

#include "gladius/models/rope_parameters.h"
#include "gladius/nn/rotary_embedding.h"

namespace gladius {

/// The embedding for heads of `head_dim`, with the frequencies of transformers'
/// modeling_rope_utils.py. Dynamic scaling depends on the longest position of a pass alone, not on
/// earlier passes.
std::shared_ptr<RotaryEmbedding> make_rotary_embedding(const RopeParameters& rope,
                                                       std::int64_t head_dim);

}  // namespace gladius
