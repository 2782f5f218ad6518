// Element types, named as safetensors names them, and GGUF's types of quantised blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gladius/tensor/half.h"

namespace gladius {

/// Element types of a Tensor. Arithmetic is done in F32 and F64; the others are storage and
/// indices. Those from Q4_0 on are quantised: neighbours of a row share a block with a scale
/// (tensor/kernels/blocks.h); they are weights (tensor/weight.h), and to(Dtype::F32) gives numbers.
// clang-format off
enum class Dtype : std::uint8_t {
  BOOL, U8, I8, U16, I16, F16, BF16, U32, I32, F32, F64, I64, U64,
  Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K
};
// clang-format on

/// Bytes an element or, of a quantised type, a block.
std::size_t dtype_size(Dtype dtype);
/// Elements of a block of a quantised type; 1 for the others.
std::int64_t block_elements(Dtype dtype);
inline bool is_quantized(Dtype dtype) { return dtype >= Dtype::Q4_0; }
/// Bytes of n elements; of a quantised type, n is a multiple of block_elements.
std::size_t dtype_bytes(Dtype dtype, std::int64_t n);
/// "F32", "BF16", ...: the spelling of safetensors; "Q4_K": that of GGUF.
std::string_view dtype_name(Dtype dtype);
/// The inverse of dtype_name; also takes PyTorch's names ("float32", "bfloat16", "torch.float16",
/// "f32"). Throws DtypeError for an unknown name.
Dtype dtype_from_name(std::string_view name);
/// F16, BF16, F32 or F64.
bool is_floating_point(Dtype dtype);

/// The Dtype of a C++ type.
template <class T>
struct DtypeOf;
// clang-format off
template <> struct DtypeOf<bool> { static constexpr Dtype value = Dtype::BOOL; };
template <> struct DtypeOf<std::uint8_t> { static constexpr Dtype value = Dtype::U8; };
template <> struct DtypeOf<std::int8_t> { static constexpr Dtype value = Dtype::I8; };
template <> struct DtypeOf<std::uint16_t> { static constexpr Dtype value = Dtype::U16; };
template <> struct DtypeOf<std::int16_t> { static constexpr Dtype value = Dtype::I16; };
template <> struct DtypeOf<float16> { static constexpr Dtype value = Dtype::F16; };
template <> struct DtypeOf<bfloat16> { static constexpr Dtype value = Dtype::BF16; };
template <> struct DtypeOf<std::uint32_t> { static constexpr Dtype value = Dtype::U32; };
template <> struct DtypeOf<std::int32_t> { static constexpr Dtype value = Dtype::I32; };
template <> struct DtypeOf<float> { static constexpr Dtype value = Dtype::F32; };
template <> struct DtypeOf<double> { static constexpr Dtype value = Dtype::F64; };
template <> struct DtypeOf<std::int64_t> { static constexpr Dtype value = Dtype::I64; };
template <> struct DtypeOf<std::uint64_t> { static constexpr Dtype value = Dtype::U64; };
// clang-format on

template <class T>
inline constexpr Dtype dtype_of = DtypeOf<T>::value;

}  // namespace gladius
