#include "gladius/models/gguf_weights.h"

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <optional>

#include "gladius/models/gguf/tensor_names.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
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

// Memory for copies, one block for all: of a block of its own each would leave most of its last
// huge page empty.
class CopySpace {
 public:
  explicit CopySpace(std::size_t bytes) : block_(Storage::allocate(bytes)) {}

  static std::size_t size_for(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  std::shared_ptr<Storage> take(std::size_t bytes) {
    std::byte* begin = block_->data() + used_;
    used_ += size_for(bytes);
    return Storage::borrow(begin, bytes, block_, /*read_only=*/false);
  }

 private:
  std::shared_ptr<Storage> block_;
  std::size_t used_ = 0;
};

// A copy in `memory`.
Tensor in_hugging_face_order(const Tensor& stored, std::int64_t head_dim,
                             std::shared_ptr<Storage> memory, const std::string& what) {
  const std::int64_t rows = stored.size(0);
  if (head_dim <= 0 || rows % head_dim != 0) {
    throw FormatError(
        fmt::format("{} has {} rows, which are no whole heads of {}", what, rows, head_dim));
  }
  const std::size_t row_bytes = stored.nbytes() / static_cast<std::size_t>(rows);
  const std::byte* from = stored.raw_data();
  for (std::int64_t row = 0; row < rows; ++row) {
    std::memcpy(memory->data() + static_cast<std::size_t>(row) * row_bytes,
                from + static_cast<std::size_t>(gguf::row_in_gguf(row, head_dim)) * row_bytes,
                row_bytes);
  }
  return {std::move(memory), stored.shape(), stored.strides(), 0, stored.dtype()};
}

struct Parameter {
  std::string name;
  const gguf::TensorInfo* info;
  Tensor value;  // as in the file; norms and biases are numbers
  bool permuted;
};

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
  std::vector<Parameter> parameters;
  std::size_t permuted_bytes = 0;
  for (const gguf::TensorInfo& info : file.header().tensors) {
    const auto name = gguf::hugging_face_name(info.name);
    if (!name || !known(*name)) {
      if (info.name != "rope_freqs.weight") extras.push_back(info.name);
      continue;
    }
    Tensor value = gguf_tensor(file, info);
    if (value.dim() == 1 && is_quantized(value.dtype())) value = value.to(Dtype::F32);
    const bool permuted = gguf::has_permuted_rows(config.model_type, *name);
    if (permuted) permuted_bytes += CopySpace::size_for(value.nbytes());
    parameters.push_back({*name, &info, std::move(value), permuted});
  }
  // What is trained becomes F32, in memory of its own.
  std::optional<CopySpace> copies;
  if (!trainable && permuted_bytes > 0) copies.emplace(permuted_bytes);

  NamedTensors weights;
  for (auto& [name, info, value, permuted] : parameters) {
    if (permuted) {
      const std::size_t bytes = value.nbytes();
      value = in_hugging_face_order(
          value, config.head_dim, copies ? copies->take(bytes) : Storage::allocate(bytes),
          fmt::format("{}: tensor {}", file.path().string(), in_quotes(info->name)));
    }
    if (trainable) value = value.to(Dtype::F32);
    if (trainable && value.storage()->read_only()) value = value.clone();  // a view of the file
    weights.emplace_back(name, std::move(value));
    if (trainable) file.mapping()->forget();
  }
  if (copies) file.mapping()->forget();  // else those bytes would be held twice
  return weights;
}

}  // namespace gladius
