#include "gladius/tensor/kernels/attention.h"

#include <fmt/format.h>

#include <cmath>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/attention.h"
#include "gladius/tensor/dispatch.h"

namespace gladius {
namespace {

// Contiguous with row-major strides, also of dimensions of size 1, which contiguous() leaves alone.
Tensor dense(const Tensor& x) { return x.contiguous().view(x.shape()); }

// The layout that the kernel takes: heads of a token contiguous, tokens at one stride, also from
// one sequence to the next. Slices of a fused product have it; others are copied.
Tensor as_tokens(const Tensor& x) {
  const Strides& s = x.strides();
  const bool fits = s[3] == 1 && s[2] == x.size(3) && s[1] >= x.size(2) * x.size(3) &&
                    (x.size(0) == 1 || s[0] == s[1] * x.size(1));
  return fits ? x : dense(x);
}

void check(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& first_key) {
  const bool fits = q.dim() == 4 && k.dim() == 4 && k.shape() == v.shape() &&
                    k.size(0) == q.size(0) && k.size(3) == q.size(3) && k.size(2) > 0 &&
                    q.size(2) % k.size(2) == 0;
  if (!fits) {
    throw ShapeError(
        fmt::format("scaled_dot_product_attention: q {}, k {}, v {}; expected [B, T, H, D] and "
                    "twice [B, S, Hkv, D] "
                    "with H a multiple of Hkv",
                    to_string(q.shape()), to_string(k.shape()), to_string(v.shape())));
  }
  if (k.dtype() != q.dtype() || v.dtype() != q.dtype()) {
    throw DtypeError(fmt::format("scaled_dot_product_attention: q {}, k {}, v {} differ in type",
                                 q.describe(), k.describe(), v.describe()));
  }
  if (first_key.defined() && first_key.shape() != Shape{q.size(0), q.size(1)}) {
    throw ShapeError(fmt::format("scaled_dot_product_attention: first_key {} for q {}",
                                 first_key.describe(), to_string(q.shape())));
  }
}

kernels::AttentionShape shape_of(const Tensor& q, const Tensor& k, const Tensor& v,
                                 const AttentionOptions& options) {
  const std::int64_t H = q.size(2), D = q.size(3);
  return {
      .B = q.size(0),
      .T = q.size(1),
      .S = k.size(1),
      .H = H,
      .Hkv = k.size(2),
      .D = D,
      .q_stride = q.strides()[1],
      .k_stride = k.strides()[1],
      .v_stride = v.strides()[1],
      .out_stride = H * D,
      .scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(D)),
      .causal = options.causal,
      .first_key = options.first_key.defined() ? options.first_key.data<std::int64_t>() : nullptr};
}

}  // namespace

Variable scaled_dot_product_attention(const Variable& q, const Variable& k, const Variable& v,
                                      const AttentionOptions& options) {
  check(q.value(), k.value(), v.value(), options.first_key);
  AttentionOptions settings = options;
  if (settings.first_key.defined()) settings.first_key = settings.first_key.contiguous();
  const Tensor x = as_tokens(q.value()), y = as_tokens(k.value()), z = as_tokens(v.value());
  Tensor out = Tensor::empty(q.shape(), q.dtype());
  const Tensor lse = Tensor::empty({q.size(0), q.size(2), q.size(1)}, q.dtype());
  dispatch_floating("scaled_dot_product_attention", q.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::attention(shape_of(x, y, z, settings), x.data<T>(), y.data<T>(), z.data<T>(),
                       out.data<T>(), lse.data<T>());
  });
  const SavedVariable result = SavedVariable::output(out);
  return record(
      "scaled_dot_product_attention", std::move(out), {q, k, v},
      [=, a = SavedVariable(Variable(x)), b = SavedVariable(Variable(y)),
       c = SavedVariable(Variable(z))](const Variable& g, const BackwardContext& context) {
        refuse_double_backward(context);
        const Tensor& queries = a.tensor(context);
        const Tensor& keys = b.tensor(context);
        const Tensor& values = c.tensor(context);
        // The kernel gives gradients the strides of their tensors; those are dense here.
        const Tensor qd = dense(queries), kd = dense(keys), vd = dense(values);
        const Tensor dq = Tensor::empty(qd.shape(), qd.dtype());
        const Tensor dk = Tensor::empty(kd.shape(), kd.dtype());
        const Tensor dv = Tensor::empty(vd.shape(), vd.dtype());
        const Tensor dout = g.value().contiguous();
        dispatch_floating("scaled_dot_product_attention", qd.dtype(), [&](auto zero) {
          using T = decltype(zero);
          kernels::attention_backward(shape_of(qd, kd, vd, settings), qd.data<T>(), kd.data<T>(),
                                      vd.data<T>(), result.tensor(context).data<T>(), lse.data<T>(),
                                      dout.data<T>(), dq.data<T>(), dk.data<T>(), dv.data<T>());
        });
        return std::vector{Variable(dq), Variable(dk), Variable(dv)};
      });
}

}  // namespace gladius
