#include "gladius/models/gguf_weights.h"

#include <fmt/format.h>

#include <optional>

#include "gladius/models/gguf/tensor_names.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/storage.h"
#include "gladius/tensor/weight.h"

namespace gladius {
namespace {

// The type of a Tensor, if weights can have it.
std::optional<Dtype> weight_dtype(std::string_view name) try {
  const Dtype dtype = dtype_from_name(name);
  // Those that F32 activations are multiplied by.
  const bool known = is_weight_dtype(dtype) && dtype != Dtype::F64;
  return known ? std::optional(dtype) : std::nullopt;
} catch (const DtypeError&) {
  return {};
}

Tensor in_hugging_face_order(const Tensor& stored, std::int64_t head_dim, const std::string& what) {
  const std::int64_t rows = stored.size(0);
  if (head_dim <= 0 || rows % head_dim != 0) {
    throw FormatError(
        fmt::format("{} has {} rows, which are no whole heads of {}", what, rows, head_dim));
  }
  std::vector<std::int64_t> order;
  for (std::int64_t row = 0; row < rows; ++row) order.push_back(gguf::row_in_gguf(row, head_dim));
  return index_select(stored, 0, Tensor::from(order, {rows}));
}

}  // namespace

Tensor gguf_tensor(const gguf::File& file, const gguf::TensorInfo& info) {
  const auto dtype = weight_dtype(info.type->name);
  if (!dtype) {
    throw DtypeError(fmt::format(
        "{}: tensor {} is of type {}, which is not supported (known: F32, F16, BF16, Q8_0, Q4_0, "
        "Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K)",
        file.path().string(), in_quotes(info.name), info.type->name));
  }
  const auto bytes = file.bytes(info);
  const Shape shape(info.shape.begin(), info.shape.end());
  // Storage has no constant bytes; it refuses to be written.
  auto storage = Storage::borrow(const_cast<std::byte*>(bytes.data()), bytes.size(), file.mapping(),
                                 /*read_only=*/true);
  return {std::move(storage), shape, contiguous_strides(shape), 0, *dtype};
}

NamedTensors read_gguf_weights(const gguf::File& file, const ModelConfig& config, bool trainable,
                               const std::function<bool(const std::string&)>& known,
                               std::vector<std::string>& extras) {
  NamedTensors weights;
  bool copied = false;
  for (const gguf::TensorInfo& info : file.header().tensors) {
    const auto name = gguf::hugging_face_name(info.name);
    if (!name || !known(*name)) {
      if (info.name != "rope_freqs.weight") extras.push_back(info.name);
      continue;
    }
    const Tensor stored = gguf_tensor(file, info);
    const bool is_vector = stored.dim() == 1;  // norms and biases are numbers
    Tensor value = is_vector && is_quantized(stored.dtype()) ? stored.to(Dtype::F32) : stored;
    if (gguf::has_permuted_rows(config.model_type, *name)) {
      value = in_hugging_face_order(
          value, config.head_dim,
          fmt::format("{}: tensor {}", file.path().string(), in_quotes(info.name)));
    }
    if (trainable) value = value.to(Dtype::F32);
    if (trainable && value.storage() == stored.storage()) value = value.clone();
    copied = copied || value.storage() != stored.storage();
    weights.emplace_back(*name, std::move(value));
    if (trainable) file.mapping()->forget();
  }
  if (copied) file.mapping()->forget();  // else those bytes would be held twice
  return weights;
}

}  // namespace gladius
