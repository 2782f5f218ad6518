// Element types, named as safetensors names them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gladius/tensor/half.h"

namespace gladius {

/// Element types of a Tensor. Arithmetic is done in F32 and F64; the others are storage and
/// indices.
enum class Dtype : std::uint8_t { BOOL, U8, I8, U16, I16, F16, BF16, U32, I32, F32, F64, I64, U64 };

/// Bytes an element.
std::size_t dtype_size(Dtype dtype);
/// "F32", "BF16", ...: the spelling of safetensors.
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
