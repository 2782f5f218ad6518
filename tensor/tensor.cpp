#include "gladius/tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/kernels/convert.h"
#include "gladius/tensor/strided.h"
#include "gladius/tensor/transposed_copy.h"

namespace gladius {
namespace {

// Strides that give `to` the row-major order of (from, strides); false if none do.
bool reshaped_strides(const Shape& from, const Strides& strides, const Shape& to, Strides& result) {
  result.assign(to.size(), 0);
  std::size_t t = to.size();
  std::int64_t block = 1;  // elements of `from` seen since the last break in contiguity
  std::int64_t filled = 1;
  std::int64_t base = 1;
  bool fresh = true;
  for (std::size_t d = from.size(); d-- > 0;) {
    if (from[d] == 1) continue;
    if (fresh) base = strides[d];
    fresh = false;
    block *= from[d];
    std::size_t next = d;
    while (next > 0 && from[next - 1] == 1) --next;
    if (next > 0 && strides[next - 1] == base * block) continue;  // the outer dimension goes on
    while (t > 0 && (filled < block || to[t - 1] == 1)) {
      result[--t] = base * filled;
      filled *= to[t];
    }
    if (filled != block) return false;
    block = filled = 1;
    fresh = true;
  }
  while (t > 0) result[--t] = 1;  // only sizes of 1 are left
  return true;
}

Shape resolve_shape(const char* op, const Shape& wanted, std::int64_t count, const Shape& from) {
  Shape shape = wanted;
  std::int64_t known = 1;
  std::int64_t open = -1;
  bool overflows = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && open < 0) {
      open = static_cast<std::int64_t>(i);
    } else {
      overflows = __builtin_mul_overflow(known, shape[i], &known) || overflows;
    }
  }
  if (open >= 0 && known > 0 && count % known == 0) {
    shape[static_cast<std::size_t>(open)] = count / known;
    known = count;
  }
  if (overflows || known != count ||
      std::ranges::any_of(shape, [](auto size) { return size < 0; })) {
    throw ShapeError(fmt::format("{}: {} has {} elements and cannot become {}", op, to_string(from),
                                 count, to_string(wanted)));
  }
  return shape;
}

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

// `value` as an element; Error for a whole number that the type cannot hold (PyTorch refuses it
// too, but for negative ones in unsigned types, which wrap around).
template <class T>
T checked_element(const char* op, double value) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    const double beyond = std::ldexp(1.0, std::numeric_limits<T>::digits);
    const double lowest = std::is_signed_v<T> ? -beyond : std::max(-beyond, -0x1p63);
    if (!(value >= lowest && value < beyond)) {
      throw Error(fmt::format("{}: {} does not fit {}", op, value, dtype_name(dtype_of<T>)));
    }
    if (value < 0) return static_cast<T>(static_cast<std::int64_t>(value));
  }
  return convert_element<T>(value);
}

// start + i * step for i < n.
Tensor progression(double start, double step, std::int64_t n, Dtype dtype) {
  Tensor result = Tensor::empty({n}, dtype);
  dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    T* out = result.data<T>();
    for (std::int64_t i = 0; i < n; ++i) {
      out[i] = checked_element<T>("arange", start + static_cast<double>(i) * step);
    }
  });
  return result;
}

}  // namespace

Tensor::Tensor(std::shared_ptr<Storage> storage, Shape shape, Strides strides, std::int64_t offset,
               Dtype dtype)
    : storage_(std::move(storage)),
      shape_(std::move(shape)),
      strides_(std::move(strides)),
      offset_(offset),
      numel_(gladius::numel(shape_)),
      dtype_(dtype) {
  if (!storage_) throw Error("tensor: no storage to view");
  if (strides_.size() != shape_.size()) {
    throw ShapeError(
        fmt::format("tensor: {} strides for shape {}", strides_.size(), to_string(shape_)));
  }
  std::int64_t last = offset_;
  std::int64_t first = offset_;
  bool overflows = false;
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    if (shape_[i] <= 1) continue;
    std::int64_t past = 0;  // walks take a step beyond the last element before they turn back
    std::int64_t& bound = strides_[i] < 0 ? first : last;
    overflows = __builtin_mul_overflow(strides_[i], shape_[i], &past) ||
                __builtin_add_overflow(bound, past - strides_[i], &bound) || overflows;
  }
  const auto held = static_cast<std::int64_t>(storage_->size() / dtype_size(dtype_));
  const bool outside = numel_ > 0 ? first < 0 || last >= held : offset_ < 0 || offset_ > held;
  if (overflows || outside) {
    throw ShapeError(fmt::format("tensor: {} at offset {} leaves its storage of {} elements",
                                 describe(), offset_, held));
  }
}

namespace {

std::size_t bytes_of(const Shape& shape, Dtype dtype) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(numel(shape)), dtype_size(dtype), &bytes) ||
      bytes > static_cast<std::size_t>(INT64_MAX)) {
    throw ShapeError(fmt::format("shape: {} {} takes more bytes than can be counted",
                                 dtype_name(dtype), to_string(shape)));
  }
  return bytes;
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, Dtype dtype) {
  return Tensor(Storage::allocate(bytes_of(shape, dtype)), shape, contiguous_strides(shape), 0,
                dtype);
}

Tensor Tensor::full(const Shape& shape, double value, Dtype dtype) {
  Tensor result = empty(shape, dtype);
  result.fill_(value);
  return result;
}

Tensor Tensor::zeros(const Shape& shape, Dtype dtype) { return full(shape, 0.0, dtype); }
Tensor Tensor::ones(const Shape& shape, Dtype dtype) { return full(shape, 1.0, dtype); }
Tensor Tensor::scalar(double value, Dtype dtype) { return full({}, value, dtype); }

Tensor Tensor::arange(std::int64_t n, Dtype dtype) { return progression(0, 1, n, dtype); }

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  if (gladius::numel(shape) != static_cast<std::int64_t>(values.size())) {
    throw ShapeError(
        fmt::format("from: {} values do not fill {}", values.size(), to_string(shape)));
  }
  Tensor result = empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

std::int64_t Tensor::size(std::int64_t dim) const {
  return shape_[static_cast<std::size_t>(normalize_dim("size", dim, this->dim()))];
}

bool Tensor::is_contiguous() const {
  if (numel_ == 0) return true;
  std::int64_t step = 1;
  for (std::size_t i = shape_.size(); i-- > 0;) {
    if (shape_[i] != 1 && strides_[i] != step) return false;
    step *= shape_[i];
  }
  return true;
}

std::byte* Tensor::raw_data() const {
  if (!defined()) throw Error("tensor: the undefined tensor has no data");
  return storage_->data() + offset_ * static_cast<std::int64_t>(dtype_size(dtype_));
}

template <class T>
T* Tensor::data() const {
  if (dtype_of<T> != dtype_) {
    throw DtypeError(fmt::format("data: {} read as {}", describe(), dtype_name(dtype_of<T>)));
  }
  return reinterpret_cast<T*>(raw_data());
}

double Tensor::item() const {
  if (numel_ != 1) throw ShapeError(fmt::format("item: {} has not one element", describe()));
  return to_vector<double>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor dense = to(dtype_of<T>).contiguous();
  const T* elements = dense.data<T>();
  return std::vector<T>(elements, elements + numel_);
}

Tensor Tensor::view(const Shape& wanted) const {
  const Shape shape = resolve_shape("view", wanted, numel_, shape_);
  Strides strides = contiguous_strides(shape);
  if (!is_contiguous() && !reshaped_strides(shape_, strides_, shape, strides)) {
    throw ShapeError(fmt::format("view: {} with strides {} cannot be seen as {}; use reshape",
                                 describe(), to_string(strides_), to_string(shape)));
  }
  return Tensor(storage_, shape, strides, offset_, dtype_);
}

Tensor Tensor::reshape(const Shape& wanted) const {
  const Shape shape = resolve_shape("reshape", wanted, numel_, shape_);
  Strides strides;
  if (is_contiguous() || reshaped_strides(shape_, strides_, shape, strides)) return view(shape);
  return clone().view(shape);
}

Tensor Tensor::permute(const std::vector<std::int64_t>& dims) const {
  Shape shape;
  Strides strides;
  std::vector<bool> seen(shape_.size(), false);
  for (const std::int64_t dim : dims) {
    const auto d = static_cast<std::size_t>(normalize_dim("permute", dim, this->dim()));
    if (seen[d]) {
      throw ShapeError(fmt::format("permute: dimension {} of {} is named twice", dim, describe()));
    }
    seen[d] = true;
    shape.push_back(shape_[d]);
    strides.push_back(strides_[d]);
  }
  if (dims.size() != shape_.size()) {
    throw ShapeError(fmt::format("permute: {} dimensions named for {}", dims.size(), describe()));
  }
  return Tensor(storage_, shape, strides, offset_, dtype_);
}

Tensor Tensor::transpose(std::int64_t a, std::int64_t b) const {
  Tensor result = *this;
  const auto i = static_cast<std::size_t>(normalize_dim("transpose", a, dim()));
  const auto j = static_cast<std::size_t>(normalize_dim("transpose", b, dim()));
  std::swap(result.shape_[i], result.shape_[j]);
  std::swap(result.strides_[i], result.strides_[j]);
  return result;
}

Tensor Tensor::narrow(std::int64_t dim, std::int64_t start, std::int64_t length,
                      std::int64_t step) const {
  const auto d = static_cast<std::size_t>(normalize_dim("narrow", dim, this->dim()));
  const bool fits = start >= 0 && length >= 0 && step >= 1 && start <= shape_[d] &&
                    (length == 0 || (length - 1) <= (shape_[d] - 1 - start) / step);
  if (!fits || (length > 0 && start == shape_[d])) {
    throw ShapeError(fmt::format("narrow: start {}, length {}, step {} in dimension {} of {}",
                                 start, length, step, dim, describe()));
  }
  Shape shape = shape_;
  Strides strides = strides_;
  shape[d] = length;
  if (length > 1) strides[d] *= step;  // else it is never taken, and may be any number
  // What has no elements stays where it is: its strides need not fit the storage.
  const bool moves = length > 0 && numel_ > 0;
  return Tensor(storage_, shape, strides, offset_ + (moves ? start * strides_[d] : 0), dtype_);
}

Tensor Tensor::select(std::int64_t dim, std::int64_t index) const {
  const auto d = normalize_dim("select", dim, this->dim());
  const std::int64_t i = index < 0 ? index + size(d) : index;
  if (i < 0 || i >= size(d)) {
    throw ShapeError(fmt::format("select: index {} in dimension {} of {}", index, dim, describe()));
  }
  return narrow(d, i, 1).squeeze(d);
}

Tensor Tensor::expand(const Shape& sizes) const {
  Shape shape = sizes;
  for (std::size_t i = 1; i <= std::min(shape.size(), shape_.size()); ++i) {
    std::int64_t& size = shape[shape.size() - i];
    if (size == -1) size = shape_[shape_.size() - i];
  }
  check_broadcasts_to("expand", shape_, shape);
  Strides strides(shape.size(), 0);
  const std::size_t lead = shape.size() - shape_.size();
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    if (shape_[i] == shape[lead + i]) strides[lead + i] = strides_[i];
  }
  return Tensor(storage_, shape, strides, offset_, dtype_);
}

Tensor Tensor::unsqueeze(std::int64_t dim) const {
  const auto d = normalize_dim("unsqueeze", dim, this->dim() + 1);
  Tensor result = *this;
  result.shape_.insert(result.shape_.begin() + d, 1);
  result.strides_.insert(result.strides_.begin() + d, 1);
  return result;
}

Tensor Tensor::squeeze(std::int64_t dim) const {
  const auto d = normalize_dim("squeeze", dim, this->dim());
  if (size(d) != 1) {
    throw ShapeError(fmt::format("squeeze: dimension {} of {} is not 1", dim, describe()));
  }
  Tensor result = *this;
  result.shape_.erase(result.shape_.begin() + d);
  result.strides_.erase(result.strides_.begin() + d);
  return result;
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  Tensor result = empty(shape_, dtype_);
  result.copy_(*this);
  return result;
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == dtype_) return *this;
  Tensor result = empty(shape_, dtype);
  result.copy_(*this);
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
  mark_written("copy_");
  Tensor in = source.expand(shape_);
  const bool same_place = in.storage_ == storage_;
  if (same_place && in.offset_ == offset_ && in.strides_ == strides_ && in.dtype_ == dtype_) return;
  if (same_place) in = in.clone();  // the two may overlap
  const StridedLoop<2> loop(shape_, {&strides_, &in.strides_});
  if (in.dtype_ == dtype_ && copy_transposed(loop, dtype_, in.raw_data(), raw_data())) return;
  const CopyRow copy_row = row_copier(in.dtype_, dtype_);
  loop.parallel_rows([&](const auto& at, std::int64_t n) {
    copy_row(in.raw_data(), at[1], loop.inner[1], raw_data(), at[0], loop.inner[0], n);
  });
}

void Tensor::mark_written(const char* op) {
  if (!defined()) throw Error(fmt::format("{}: the undefined tensor cannot be written", op));
  if (storage_->read_only()) {
    throw Error(fmt::format("{}: {} is read-only; clone() it first", op, describe()));
  }
  for (std::size_t d = 0; d < shape_.size(); ++d) {
    if (strides_[d] == 0 && shape_[d] > 1 && numel_ > 0) {
      throw Error(
          fmt::format("{}: {} is expanded along dimension {}, where its elements share "
                      "memory; clone() it first",
                      op, describe(), d));
    }
  }
  storage_->bump_version();
}

std::string Tensor::describe() const {
  return defined() ? fmt::format("{} {}", dtype_name(dtype_), to_string(shape_))
                   : "undefined tensor";
}

Tensor arange(double start, double end, double step, Dtype dtype) {
  const auto refuse = [&](const char* why) {
    throw Error(fmt::format("arange: from {} to {} by {} in {}: {}", start, end, step,
                            dtype_name(dtype), why));
  };
  const double steps = (end - start) / step;
  const double count = std::ceil(steps);
  if (step == 0 || !std::isfinite(count)) refuse("the steps have no end");
  if (steps < 0) refuse("the step leads away from the end");
  if (count > 0x1p53) refuse("too many elements");
  const bool whole = start == std::floor(start) && step == std::floor(step);
  if (!is_floating_point(dtype) && !whole) refuse("an integer type takes whole numbers");
  return progression(start, step, static_cast<std::int64_t>(count), dtype);
}

#define GLADIUS_INSTANTIATE(T)                                       \
  template Tensor Tensor::from<T>(std::span<const T>, const Shape&); \
  template T* Tensor::data<T>() const;                               \
  template std::vector<T> Tensor::to_vector<T>() const;
GLADIUS_INSTANTIATE(bool)
GLADIUS_INSTANTIATE(std::uint8_t)
GLADIUS_INSTANTIATE(std::int8_t)
GLADIUS_INSTANTIATE(std::uint16_t)
GLADIUS_INSTANTIATE(std::int16_t)
GLADIUS_INSTANTIATE(float16)
GLADIUS_INSTANTIATE(bfloat16)
GLADIUS_INSTANTIATE(std::uint32_t)
GLADIUS_INSTANTIATE(std::int32_t)
GLADIUS_INSTANTIATE(float)
GLADIUS_INSTANTIATE(double)
GLADIUS_INSTANTIATE(std::int64_t)
GLADIUS_INSTANTIATE(std::uint64_t)
#undef GLADIUS_INSTANTIATE

}  // namespace gladius
