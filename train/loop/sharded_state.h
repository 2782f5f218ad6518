// The optimizer's state divided among ranks (ZeRO stage 1, arXiv:1910.02054).
#pragma once

#include <vector>

#include "gladius/nn/module.h"
#include "gladius/train/cluster/communicator.h"
#include "gladius/train/loop/tensor_buckets.h"

namespace gladius::train {

using Slices = std::vector<TensorBuckets::Slice>;  // of the parameters

/// Each slice as a parameter of its own, "NAME#BEGIN", which shares the parameter's memory. Element
/// by element AdamW makes the same of a slice as of the whole.
std::vector<nn::NamedParameter> slice_parameters(const std::vector<nn::NamedParameter>& parameters,
                                                 const Slices& slices);
/// Each slice's gradient becomes its part of its parameter's; in the order of `slices`.
void slice_gradients(const std::vector<nn::NamedParameter>& sliced, const Slices& slices,
                     const std::vector<Variable>& parameters);

/// What of an optimizer's state_dict belongs to the slices.
NamedTensors slice_state(const NamedTensors& state,
                         const std::vector<nn::NamedParameter>& parameters, const Slices& slices);
/// The inverse: rank 0 gets the state_dict of all from those of the ranks' slices; the others get
/// nothing. All ranks call it. FormatError.
NamedTensors gather_state(cluster::Communicator& ranks, const NamedTensors& own,
                          const std::vector<nn::NamedParameter>& parameters);

}  // namespace gladius::train
