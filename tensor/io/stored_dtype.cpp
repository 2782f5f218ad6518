#include "gladius/tensor/io/stored_dtype.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gladius/tensor/base/error.h"

namespace gladius {
namespace {

constexpr std::array<StoredDtype, 22> kStored{{
    {"BOOL", 8, Dtype::BOOL},
    {"F4", 4, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},
    {"U8", 8, Dtype::U8},
    {"I8", 8, Dtype::I8},
    {"F8_E5M2", 8, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt},
    {"F8_E5M2FNUZ", 8, std::nullopt},
    {"I16", 16, Dtype::I16},
    {"U16", 16, Dtype::U16},
    {"F16", 16, Dtype::F16},
    {"BF16", 16, Dtype::BF16},
    {"I32", 32, Dtype::I32},
    {"U32", 32, Dtype::U32},
    {"F32", 32, Dtype::F32},
    {"C64", 64, std::nullopt},
    {"F64", 64, Dtype::F64},
    {"I64", 64, Dtype::I64},
    {"U64", 64, Dtype::U64},
}};

}  // namespace

std::span<const StoredDtype> stored_dtypes() { return kStored; }

std::size_t stored_dtype_rank(std::string_view name) {
  const auto found = std::ranges::find(kStored, name, &StoredDtype::name);
  return static_cast<std::size_t>(found - kStored.begin());
}

StoredDtype stored_dtype(Dtype dtype) {
  const std::size_t rank = stored_dtype_rank(dtype_name(dtype));
  if (rank == kStored.size()) {
    throw DtypeError(fmt::format("safetensors has no {}: convert the tensor, or write a GGUF file",
                                 dtype_name(dtype)));
  }
  return kStored[rank];
}

}  // namespace gladius
