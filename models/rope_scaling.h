// The frequencies of rotary embeddings as configurations scale them for longer contexts.
#pragma once

#include <cstdint>
#include <vector>

#include "gladius/models/rope_parameters.h"
#include "gladius/nn/rotary_embedding.h"

namespace gladius {

/// Positions that a model with these settings is made for: max_position_embeddings, times the
/// factor of a scaling that extends it (linear, dynamic; yarn from its original length).
std::int64_t context_length(const RopeParameters& rope);

/// The frequencies of `default`, `linear` or `llama3` for heads of `head_dim`.
std::vector<double> scaled_frequencies(const RopeParameters& rope, std::int64_t head_dim);

/// The embedding for heads of `head_dim`, with the frequencies of transformers'
/// modeling_rope_utils.py. Dynamic scaling depends on the longest position of a pass alone, not on
/// earlier passes.
nn::RotaryEmbedding make_rotary_embedding(const RopeParameters& rope, std::int64_t head_dim);

}  // namespace gladius
