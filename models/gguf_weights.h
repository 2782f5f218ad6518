// The weights of a GGUF file, under Hugging Face's names. For this folder's callers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gladius/models/config.h"
#include "gladius/models/gguf/file.h"
#include "gladius/tensor/tensor.h"

namespace gladius {

/// A tensor of the file, in its own type, as a read-only view of it: as it lies there. DtypeError
/// naming the tensor and its type for a type that is not supported.
Tensor gguf_tensor(const gguf::File& file, const gguf::TensorInfo& info);

/// The parameters `known` holds for, and the output matrix, as read-only views of the mapped file;
/// rows that GGUF permutes are copies in their order. With `trainable`, F32 copies. The names of
/// other tensors go to `extras`, but for the factors of rotary frequencies, which are the
/// configuration's. FormatError for rows that are no whole heads, DtypeError for a type that is not
/// supported.
NamedTensors read_gguf_weights(const gguf::File& file, const ModelConfig& config, bool trainable,
                               const std::function<bool(const std::string&)>& known,
                               std::vector<std::string>& extras);

}  // namespace gladius
