#include "gladius/tensor/dtype.h"

#include <fmt/format.h>

#include <array>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius {
namespace {

struct Entry {
  Dtype dtype;
  std::size_t size;
  std::string_view name;   // safetensors; GGUF
  std::string_view torch;  // PyTorch
  std::int64_t elements = 1;
};

constexpr std::array<Entry, 23> kEntries{{
    {Dtype::BOOL, 1, "BOOL", "bool"},
    {Dtype::U8, 1, "U8", "uint8"},
    {Dtype::I8, 1, "I8", "int8"},
    {Dtype::U16, 2, "U16", "uint16"},
    {Dtype::I16, 2, "I16", "int16"},
    {Dtype::F16, 2, "F16", "float16"},
    {Dtype::BF16, 2, "BF16", "bfloat16"},
    {Dtype::U32, 4, "U32", "uint32"},
    {Dtype::I32, 4, "I32", "int32"},
    {Dtype::F32, 4, "F32", "float32"},
    {Dtype::F64, 8, "F64", "float64"},
    {Dtype::I64, 8, "I64", "int64"},
    {Dtype::U64, 8, "U64", "uint64"},
    {Dtype::Q4_0, 18, "Q4_0", "q4_0", 32},
    {Dtype::Q4_1, 20, "Q4_1", "q4_1", 32},
    {Dtype::Q5_0, 22, "Q5_0", "q5_0", 32},
    {Dtype::Q5_1, 24, "Q5_1", "q5_1", 32},
    {Dtype::Q8_0, 34, "Q8_0", "q8_0", 32},
    {Dtype::Q2_K, 84, "Q2_K", "q2_k", 256},
    {Dtype::Q3_K, 110, "Q3_K", "q3_k", 256},
    {Dtype::Q4_K, 144, "Q4_K", "q4_k", 256},
    {Dtype::Q5_K, 176, "Q5_K", "q5_k", 256},
    {Dtype::Q6_K, 210, "Q6_K", "q6_k", 256},
}};

const Entry& entry(Dtype dtype) { return kEntries[static_cast<std::size_t>(dtype)]; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace

std::size_t dtype_size(Dtype dtype) { return entry(dtype).size; }

std::int64_t block_elements(Dtype dtype) { return entry(dtype).elements; }

std::size_t dtype_bytes(Dtype dtype, std::int64_t n) {
  return static_cast<std::size_t>(n / block_elements(dtype)) * dtype_size(dtype);
}

std::string_view dtype_name(Dtype dtype) { return entry(dtype).name; }

Dtype dtype_from_name(std::string_view name) {
  std::string_view plain = name;
  if (plain.starts_with("torch.")) plain.remove_prefix(6);
  for (const Entry& candidate : kEntries) {
    if (equal_ignoring_case(plain, candidate.name) || plain == candidate.torch) {
      return candidate.dtype;
    }
  }
  throw DtypeError(
      fmt::format("dtype: unknown name {} (try F32, BF16, F16, I64, ...)", in_quotes(name)));
}

bool is_floating_point(Dtype dtype) {
  return dtype == Dtype::F16 || dtype == Dtype::BF16 || dtype == Dtype::F32 || dtype == Dtype::F64;
}

}  // namespace gladius
