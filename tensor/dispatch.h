// From a Dtype at run time to a C++ type.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/dtype.h"

namespace gladius {

/// Throws DtypeError: the elements of a quantised type have no C++ type.
[[noreturn]] inline void throw_quantized(Dtype dtype) {
  throw DtypeError("the elements of " + std::string(dtype_name(dtype)) +
                   " are quantised in blocks; convert them with to(Dtype::F32)");
}

/// Calls f(T{}) with the C++ type of `dtype`; throws DtypeError for a quantised one.
template <class F>
decltype(auto) dispatch(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::BOOL:
      return f(bool{});
    case Dtype::U8:
      return f(std::uint8_t{});
    case Dtype::I8:
      return f(std::int8_t{});
    case Dtype::U16:
      return f(std::uint16_t{});
    case Dtype::I16:
      return f(std::int16_t{});
    case Dtype::F16:
      return f(float16{});
    case Dtype::BF16:
      return f(bfloat16{});
    case Dtype::U32:
      return f(std::uint32_t{});
    case Dtype::I32:
      return f(std::int32_t{});
    case Dtype::F32:
      return f(float{});
    case Dtype::F64:
      return f(double{});
    case Dtype::I64:
      return f(std::int64_t{});
    case Dtype::U64:
      return f(std::uint64_t{});
    case Dtype::Q4_0:
    case Dtype::Q4_1:
    case Dtype::Q5_0:
    case Dtype::Q5_1:
    case Dtype::Q8_0:
    case Dtype::Q2_K:
    case Dtype::Q3_K:
    case Dtype::Q4_K:
    case Dtype::Q5_K:
    case Dtype::Q6_K:
      break;
  }
  throw_quantized(dtype);
}

/// Throws DtypeError naming `op` unless `dtype` is F32 or F64, the types of arithmetic.
inline void check_arithmetic(const char* op, Dtype dtype) {
  if (dtype == Dtype::F32 || dtype == Dtype::F64) return;
  throw DtypeError(std::string(op) + ": arithmetic takes F32 or F64, not " +
                   std::string(dtype_name(dtype)) + "; convert with to()");
}

/// Calls f(float{}) or f(double{}); throws DtypeError naming `op` for other types.
template <class F>
decltype(auto) dispatch_floating(const char* op, Dtype dtype, F&& f) {
  check_arithmetic(op, dtype);
  return dtype == Dtype::F32 ? f(float{}) : f(double{});
}

/// static_cast that passes the 16-bit types through float.
template <class To, class From>
To convert_element(From value) {
  constexpr bool half_from = std::is_same_v<From, float16> || std::is_same_v<From, bfloat16>;
  constexpr bool half_to = std::is_same_v<To, float16> || std::is_same_v<To, bfloat16>;
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (half_from) {
    return convert_element<To>(static_cast<float>(value));
  } else if constexpr (half_to) {
    return To(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace gladius
