// Elements written: filled, copied, converted.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/element_range.h"
#include "gladius/tensor/kernels/convert.h"
#include "gladius/tensor/quantized.h"
#include "gladius/tensor/strided.h"
#include "gladius/tensor/tensor.h"
#include "gladius/tensor/transposed_copy.h"

namespace gladius {
namespace {

// Copies n elements of one row, converted; offsets and steps in elements.
using CopyRow = void (*)(const std::byte* in, std::int64_t in_at, std::int64_t in_step,
                         std::byte* out, std::int64_t out_at, std::int64_t out_step,
                         std::int64_t n);

template <class From, class To>
void copy_row(const std::byte* in, std::int64_t in_at, std::int64_t in_step, std::byte* out,
              std::int64_t out_at, std::int64_t out_step, std::int64_t n) {
  const From* x = reinterpret_cast<const From*>(in) + in_at;
  To* y = reinterpret_cast<To*>(out) + out_at;
  if (in_step != 1 || out_step != 1) {
    for (std::int64_t i = 0; i < n; ++i)
      y[i * out_step] = convert_element<To, From>(x[i * in_step]);
  } else if constexpr (requires { kernels::convert(x, y, n); }) {
    kernels::convert(x, y, n);  // the pairs of types that weights come in
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = convert_element<To, From>(x[i]);
  }
}

// For every pair of types only this row function is compiled, not the walk over the rows.
CopyRow row_copier(Dtype from, Dtype to) {
  return dispatch(from, [=](auto source) {
    return dispatch(
        to, [](auto target) -> CopyRow { return copy_row<decltype(source), decltype(target)>; });
  });
}

// The first of n elements of a row that the other type cannot hold, or n.
using FindUnfit = std::int64_t (*)(const std::byte* in, std::int64_t at, std::int64_t step,
                                   std::int64_t n);

template <class From, class To>
std::int64_t find_unfit(const std::byte* in, std::int64_t at, std::int64_t step, std::int64_t n) {
  const From* x = reinterpret_cast<const From*>(in) + at;
  std::int64_t i = 0;
  while (i < n && fits<To>(x[i * step])) ++i;
  return i;
}

// Null if the type `to` holds whatever `from` does.
FindUnfit unfit_finder(Dtype from, Dtype to) {
  return dispatch(from, [=](auto source) {
    return dispatch(to, [](auto target) -> FindUnfit {
      using From = decltype(source);
      using To = decltype(target);
      if constexpr (kMayNotFit<To, From>) return find_unfit<From, To>;
      return nullptr;
    });
  });
}

[[noreturn]] void throw_unfit(const char* op, const Tensor& x, std::int64_t element, Dtype to) {
  const Shape index = unravel_index(element, x.shape());
  Tensor at = x;
  for (const std::int64_t i : index) at = at.select(0, i);
  const std::string number = is_floating_point(x.dtype()) ? fmt::format("{}", at.item())
                             : x.dtype() == Dtype::U64
                                 ? fmt::format("{}", at.to_vector<std::uint64_t>()[0])
                                 : fmt::format("{}", at.to_vector<std::int64_t>()[0]);
  throw Error(fmt::format("{}: {} at {} of {} does not fit {}", op, number, to_string(index),
                          x.describe(), dtype_name(to)));
}

// Error for the first element of x that the type cannot hold; a cast of it would be undefined, or
// another number.
void check_elements_fit(const char* op, const Tensor& x, Dtype to) {
  const FindUnfit find = unfit_finder(x.dtype(), to);
  if (!find || x.numel() == 0) return;
  const StridedLoop<1> loop(x.shape(), {&x.strides()});
  parallel_for(loop.count, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t element = begin;
    loop.rows(begin, end, [&](const auto& at, std::int64_t n) {
      const std::int64_t i = find(x.raw_data(), at[0], loop.inner[0], n);
      if (i < n) throw_unfit(op, x, element + i, to);
      element += n;
    });
  });
}

// Copies converted elements between tensors of one shape that do not overlap.
void copy_elements(const Tensor& in, const Tensor& out) {
  const StridedLoop<2> loop(out.shape(), {&out.strides(), &in.strides()});
  if (in.dtype() == out.dtype() &&
      copy_transposed(loop, out.dtype(), in.raw_data(), out.raw_data())) {
    return;
  }
  const CopyRow copy_row = row_copier(in.dtype(), out.dtype());
  loop.parallel_rows([&](const auto& at, std::int64_t n) {
    copy_row(in.raw_data(), at[1], loop.inner[1], out.raw_data(), at[0], loop.inner[0], n);
  });
}

}  // namespace

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  Tensor result = empty(shape_, dtype_);
  result.copy_(*this);
  return result;
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == dtype_) return *this;
  if (is_quantized(dtype_)) return dequantize(*this).to(dtype);
  if (is_quantized(dtype)) return quantize(*this, dtype);
  check_elements_fit("to", *this, dtype);
  Tensor result = empty(shape_, dtype);
  copy_elements(*this, result);
  return result;
}

void Tensor::fill_(double value) {
  mark_written("fill_");
  dispatch(dtype_, [&](auto type) {
    using T = decltype(type);
    T* out = data<T>();
    const T element = checked_element<T>("fill_", value);
    const StridedLoop<1> loop(shape_, {&strides_});
    loop.parallel_rows([&](const auto& at, std::int64_t n) {
      if (loop.inner[0] == 1) {
        std::fill_n(out + at[0], n, element);
      } else {
        for (std::int64_t i = 0; i < n; ++i) out[at[0] + i * loop.inner[0]] = element;
      }
    });
  });
}

void Tensor::copy_(const Tensor& source) {
  check_broadcasts_to("copy_", source.shape(), shape_);
  if (is_quantized(dtype_) || is_quantized(source.dtype_)) {
    mark_written("copy_");
    return copy_blocks(source.to(dtype_).expand(shape_), *this);
  }
  check_elements_fit("copy_", source, dtype_);
  mark_written("copy_");
  Tensor in = source.expand(shape_);
  const bool same_place = in.storage_ == storage_;
  if (same_place && in.offset_ == offset_ && in.strides_ == strides_ && in.dtype_ == dtype_) return;
  if (same_place) in = in.clone();  // the two may overlap
  copy_elements(in, *this);
}

}  // namespace gladius
