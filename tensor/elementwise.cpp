#include "gladius/tensor/elementwise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/kernels/unary.h"
#include "gladius/tensor/ordering.h"
#include "gladius/tensor/same_dtype.h"
#include "gladius/tensor/strided.h"

namespace gladius {
namespace {

constexpr std::int64_t kGrain = 1 << 13;  // elements of a transcendental function a thread is worth

// out[i] = f(x[i]...) over rows of any strides; contiguous rows get a loop of their own, which the
// compiler vectorises.
template <class Out, class F, class... In>
void apply(const Shape& shape, const Tensor& y, F f,
           const std::array<const Strides*, sizeof...(In)>& strides, const In*... in) {
  std::array<const Strides*, sizeof...(In) + 1> all;
  all[0] = &y.strides();
  std::ranges::copy(strides, all.begin() + 1);
  const StridedLoop<sizeof...(In) + 1> loop(shape, all);
  Out* out = y.data<Out>();
  loop.parallel_rows([&](const auto& at, std::int64_t n) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      Out* to = out + at[0];
      if (((loop.inner[I + 1] == 1) && ...) && loop.inner[0] == 1) {
        for (std::int64_t i = 0; i < n; ++i) to[i] = f((in + at[I + 1])[i]...);
      } else {
        for (std::int64_t i = 0; i < n; ++i) {
          to[i * loop.inner[0]] = f((in + at[I + 1])[i * loop.inner[I + 1]]...);
        }
      }
    }
    (std::index_sequence_for<In...>{});
  });
}

template <class F>
Tensor unary(const char* op, const Tensor& x, F f) {
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  dispatch_floating(op, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    apply<T>(
        x.shape(), y, [&](T value) { return static_cast<T>(f(value)); }, {&x.strides()},
        x.data<T>());
  });
  return y;
}

// As unary, with a kernel over contiguous elements, which the others are copied to.
template <class Kernel>
Tensor vectorised(const char* op, const Tensor& x, Kernel kernel) {
  const Tensor in = x.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  dispatch_floating(op, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = in.data<T>();
    T* to = y.data<T>();
    parallel_for(x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      kernel(from + begin, to + begin, end - begin);
    });
  });
  return y;
}

template <class F>
Tensor binary(const char* op, const Tensor& a, const Tensor& b, F f) {
  check_same_dtype(op, a, b);
  const Shape shape = broadcast_shapes(op, a.shape(), b.shape());
  const Tensor left = a.expand(shape);
  const Tensor right = b.expand(shape);
  Tensor y = Tensor::empty(shape, a.dtype());
  dispatch_floating(op, a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    apply<T>(
        shape, y, [&](T u, T v) { return static_cast<T>(f(u, v)); },
        {&left.strides(), &right.strides()}, left.data<T>(), right.data<T>());
  });
  return y;
}

template <class F>
Tensor compare(const char* op, const Tensor& a, const Tensor& b, F f) {
  check_same_dtype(op, a, b);
  const Shape shape = broadcast_shapes(op, a.shape(), b.shape());
  const Tensor left = a.expand(shape);
  const Tensor right = b.expand(shape);
  Tensor y = Tensor::empty(shape, Dtype::BOOL);
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using V = Comparable<T>;
    apply<bool>(
        shape, y, [&](T u, T v) { return f(static_cast<V>(u), static_cast<V>(v)); },
        {&left.strides(), &right.strides()}, left.data<T>(), right.data<T>());
  });
  return y;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return binary("add", a, b, [](auto x, auto y) { return x + y; });
}
Tensor sub(const Tensor& a, const Tensor& b) {
  return binary("sub", a, b, [](auto x, auto y) { return x - y; });
}
Tensor mul(const Tensor& a, const Tensor& b) {
  return binary("mul", a, b, [](auto x, auto y) { return x * y; });
}
Tensor div(const Tensor& a, const Tensor& b) {
  return binary("div", a, b, [](auto x, auto y) { return x / y; });
}
Tensor maximum(const Tensor& a, const Tensor& b) {
  return binary("maximum", a, b, [](auto x, auto y) { return x > y || std::isnan(x) ? x : y; });
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  return binary("minimum", a, b, [](auto x, auto y) { return x < y || std::isnan(x) ? x : y; });
}

Tensor add(const Tensor& x, double value) {
  return unary("add", x, [=](auto v) { return v + static_cast<decltype(v)>(value); });
}
Tensor mul(const Tensor& x, double value) {
  return unary("mul", x, [=](auto v) { return v * static_cast<decltype(v)>(value); });
}
Tensor pow(const Tensor& base, const Tensor& exponent) {
  return binary("pow", base, exponent, [](auto x, auto y) { return std::pow(x, y); });
}
Tensor pow(const Tensor& x, double exponent) {
  return unary("pow", x, [=](auto v) { return std::pow(v, static_cast<decltype(v)>(exponent)); });
}

Tensor neg(const Tensor& x) {
  return unary("neg", x, [](auto v) { return -v; });
}
Tensor abs(const Tensor& x) {
  return unary("abs", x, [](auto v) { return std::fabs(v); });
}
Tensor sign(const Tensor& x) {
  return unary("sign", x, [](auto v) { return decltype(v)((v > 0) - (v < 0)); });
}
Tensor exp(const Tensor& x) {
  return vectorised("exp", x, [](auto... args) { kernels::exp(args...); });
}
Tensor log(const Tensor& x) {
  return vectorised("log", x, [](auto... args) { kernels::log(args...); });
}
Tensor sqrt(const Tensor& x) {
  return vectorised("sqrt", x, [](auto... args) { kernels::sqrt(args...); });
}
Tensor rsqrt(const Tensor& x) {
  return vectorised("rsqrt", x, [](auto... args) { kernels::rsqrt(args...); });
}
Tensor tanh(const Tensor& x) {
  return vectorised("tanh", x, [](auto... args) { kernels::tanh(args...); });
}
Tensor sigmoid(const Tensor& x) {
  return vectorised("sigmoid", x, [](auto... args) { kernels::sigmoid(args...); });
}
Tensor silu(const Tensor& x) {
  return vectorised("silu", x, [](auto... args) { kernels::silu(args...); });
}
Tensor gelu(const Tensor& x) {
  return vectorised("gelu", x, [](auto... args) { kernels::gelu(args...); });
}
Tensor gelu_slope(const Tensor& x) {
  return vectorised("gelu_slope", x, [](auto... args) { kernels::gelu_slope(args...); });
}
Tensor relu(const Tensor& x) {
  return unary("relu", x, [](auto v) { return v > 0 || std::isnan(v) ? v : decltype(v){0}; });
}
Tensor erf(const Tensor& x) {
  return unary("erf", x, [](auto v) { return std::erf(v); });
}
Tensor clamp(const Tensor& x, double low, double high) {
  return unary("clamp", x, [=](auto v) {
    using T = decltype(v);
    // In PyTorch's order, so that low > high gives high.
    const T raised = v < static_cast<T>(low) ? static_cast<T>(low) : v;
    return raised > static_cast<T>(high) ? static_cast<T>(high) : raised;
  });
}

Tensor eq(const Tensor& a, const Tensor& b) { return compare("eq", a, b, std::equal_to<>()); }
Tensor ne(const Tensor& a, const Tensor& b) { return compare("ne", a, b, std::not_equal_to<>()); }
Tensor lt(const Tensor& a, const Tensor& b) { return compare("lt", a, b, std::less<>()); }
Tensor le(const Tensor& a, const Tensor& b) { return compare("le", a, b, std::less_equal<>()); }
Tensor gt(const Tensor& a, const Tensor& b) { return compare("gt", a, b, std::greater<>()); }
Tensor ge(const Tensor& a, const Tensor& b) { return compare("ge", a, b, std::greater_equal<>()); }

Tensor logical_and(const Tensor& a, const Tensor& b) {
  for (const Tensor& x : {a, b}) {
    if (x.dtype() != Dtype::BOOL) {
      throw DtypeError(fmt::format("logical_and: {} is not BOOL", x.describe()));
    }
  }
  return compare("logical_and", a, b, std::logical_and<>());
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_same_dtype("where", a, b);
  if (condition.dtype() != Dtype::BOOL) {
    throw DtypeError(fmt::format("where: the condition is {}, not BOOL", condition.describe()));
  }
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  const Tensor test = condition.expand(shape);
  const Tensor left = a.expand(shape);
  const Tensor right = b.expand(shape);
  Tensor y = Tensor::empty(shape, a.dtype());
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    apply<T>(
        shape, y, [](bool c, T u, T v) { return c ? u : v; },
        {&test.strides(), &left.strides(), &right.strides()}, test.data<bool>(), left.data<T>(),
        right.data<T>());
  });
  return y;
}

void add_(Tensor& x, const Tensor& y, double alpha) {
  check_arithmetic("add_", x.dtype());
  check_same_dtype("add_", x, y);
  check_broadcasts_to("add_", y.shape(), x.shape());
  x.mark_written("add_");
  Tensor in = y.expand(x.shape());
  const bool same_elements = in.offset() == x.offset() && in.strides() == x.strides();
  if (in.storage() == x.storage() && !same_elements) in = in.clone();  // the two may overlap
  dispatch_floating("add_", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T scale = static_cast<T>(alpha);
    apply<T>(
        x.shape(), x, [&](T u, T v) { return u + scale * v; }, {&x.strides(), &in.strides()},
        x.data<T>(), in.data<T>());
  });
}

void mul_(Tensor& x, double value) {
  check_arithmetic("mul_", x.dtype());
  x.mark_written("mul_");
  dispatch_floating("mul_", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T scale = static_cast<T>(value);
    apply<T>(
        x.shape(), x, [&](T u) { return u * scale; }, {&x.strides()}, x.data<T>());
  });
}

}  // namespace gladius
