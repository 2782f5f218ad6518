#include "gladius/autograd/ops/attention.h"

#include <fmt/format.h>

#include <cmath>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/softmax.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/kernels/attention.h"
#include "gladius/tensor/precision.h"

namespace gladius {
namespace {

// Contiguous with row-major strides, also of dimensions of size 1, which contiguous() leaves alone.
Tensor dense(const Tensor& x) { return x.contiguous().view(x.shape()); }

// Tokens from the beginning of one sequence to that of the next; 0 if the heads of a token are not
// contiguous, or sequences not whole tokens apart.
std::int64_t tokens_of_sequence(const Tensor& x) {
  const Strides& s = x.strides();
  const bool in_tokens = s[3] == 1 && s[2] == x.size(3) && s[1] >= x.size(2) * x.size(3);
  if (!in_tokens) return 0;
  if (x.size(0) == 1) return x.size(1);
  return s[0] % s[1] == 0 ? s[0] / s[1] : 0;
}

// The layout that the kernel takes: heads of a token contiguous, tokens at one stride, also from
// one sequence to the next. Slices of a fused product have it; others are copied.
Tensor as_tokens(const Tensor& x) { return tokens_of_sequence(x) == x.size(1) ? x : dense(x); }

// The same of keys and values, which may also be those of a cache that has room for more.
struct KeysAndValues {
  Tensor k, v;
  std::int64_t capacity;
};

KeysAndValues as_keys_and_values(const Tensor& k, const Tensor& v) {
  const std::int64_t capacity = tokens_of_sequence(k);
  if (capacity > k.size(1) && tokens_of_sequence(v) == capacity) return {k, v, capacity};
  return {as_tokens(k), as_tokens(v), k.size(1)};
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

// The options with what they leave open filled in.
AttentionOptions settle(AttentionOptions options, std::int64_t D) {
  if (options.scale == 0) options.scale = 1 / std::sqrt(static_cast<double>(D));
  if (options.first_key.defined()) {
    options.first_key =
        as_indices("scaled_dot_product_attention", "first_key", options.first_key).contiguous();
  }
  return options;
}

kernels::AttentionShape shape_of(const Tensor& q, const Tensor& k, const Tensor& v,
                                 const AttentionOptions& options, std::int64_t kv_capacity = 0) {
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
      .scale = options.scale,
      .causal = options.causal,
      .first_key = options.first_key.defined() ? options.first_key.data<std::int64_t>() : nullptr,
      .kv_capacity = kv_capacity,
      .precision = product_precision()};
}

std::vector<Variable> backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                               const Tensor& lse, const Tensor& dout,
                               const AttentionOptions& options) {
  // The kernel gives gradients the strides of their tensors; those are dense here.
  const Tensor qd = dense(q), kd = dense(k), vd = dense(v);
  if (qd.numel() == 0) {  // no query, and keys that none looks at
    return {Variable(qd), Variable(Tensor::zeros(kd.shape(), kd.dtype())),
            Variable(Tensor::zeros(vd.shape(), vd.dtype()))};
  }
  const Tensor dq = Tensor::empty(qd.shape(), qd.dtype());
  const Tensor dk = Tensor::empty(kd.shape(), kd.dtype());
  const Tensor dv = Tensor::empty(vd.shape(), vd.dtype());
  dispatch_floating("scaled_dot_product_attention", qd.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::attention_backward(shape_of(qd, kd, vd, options), qd.data<T>(), kd.data<T>(),
                                vd.data<T>(), out.data<T>(), lse.data<T>(), dout.data<T>(),
                                dq.data<T>(), dk.data<T>(), dv.data<T>());
  });
  return {Variable(dq), Variable(dk), Variable(dv)};
}

// BOOL [B, 1, 1, T, S]: which keys each query sees.
Tensor visible_keys(std::int64_t B, std::int64_t T, std::int64_t S,
                    const AttentionOptions& options) {
  Tensor visible = Tensor::empty({B, 1, 1, T, S}, Dtype::BOOL);
  const auto* first =
      options.first_key.defined() ? options.first_key.data<std::int64_t>() : nullptr;
  bool* out = visible.data<bool>();
  for (std::int64_t query = 0; query < B * T; ++query) {
    const std::int64_t from = first ? first[query] : 0;
    const std::int64_t to = options.causal ? query % T + S - T : S - 1;
    for (std::int64_t key = 0; key < S; ++key) *out++ = from <= key && key <= to;
  }
  return visible;
}

// [B, T, H, D] as [B, Hkv, H / Hkv, T, D]: the heads that share keys side by side.
Variable by_group(const Variable& x, std::int64_t Hkv) {
  return reshape(transpose(x, 1, 2), {x.size(0), Hkv, x.size(2) / Hkv, x.size(1), x.size(3)});
}
Variable by_token(const Variable& x) {
  return transpose(reshape(x, {x.size(0), x.size(1) * x.size(2), x.size(3), x.size(4)}), 1, 2);
}

// The same as backward in operations on variables, with the matrices of probabilities.
std::vector<Variable> recorded_backward(const Variable& q, const Variable& k, const Variable& v,
                                        const Variable& g, const AttentionOptions& options,
                                        const BackwardContext& context) {
  const std::int64_t Hkv = k.size(2);
  const Variable queries = by_group(q, Hkv), keys = by_group(k, Hkv), values = by_group(v, Hkv);
  const Variable dout = by_group(g, Hkv);
  const Tensor visible = visible_keys(q.size(0), q.size(1), k.size(1), options);
  const Variable scores = matmul(queries, transpose(keys, -1, -2)) * options.scale;
  const Variable hidden(Tensor::full({}, -1e30, q.dtype()));
  // The product zeroes the rows that see nothing, which softmax makes uniform.
  const Variable p = softmax(where(visible, scores, hidden)) * Variable(visible.to(q.dtype()));
  const Variable dp = matmul(dout, transpose(values, -1, -2));
  const Variable ds = p * (dp - sum(dp * p, {-1}, true)) * options.scale;
  // A key's gradient is the sum over the heads that share it.
  const auto shared = [&](const Variable& weights, const Variable& x) {
    return by_token(sum(matmul(transpose(weights, -1, -2), x), {2}, true));
  };
  return {context.needs(0) ? by_token(matmul(ds, keys)) : Variable(),
          context.needs(1) ? shared(ds, queries) : Variable(),
          context.needs(2) ? shared(p, dout) : Variable()};
}

}  // namespace

Variable scaled_dot_product_attention(const Variable& q, const Variable& k, const Variable& v,
                                      const AttentionOptions& options) {
  check(q.value(), k.value(), v.value(), options.first_key);
  const AttentionOptions settings = settle(options, q.size(3));
  const Tensor x = as_tokens(q.value());
  const auto [y, z, capacity] = as_keys_and_values(k.value(), v.value());
  Tensor out = Tensor::empty(q.shape(), q.dtype());
  const Tensor lse = Tensor::empty({q.size(0), q.size(2), q.size(1)}, q.dtype());
  dispatch_floating("scaled_dot_product_attention", q.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (out.numel() == 0) return;  // the other sizes may be any number
    kernels::attention(shape_of(x, y, z, settings, capacity), x.data<T>(), y.data<T>(), z.data<T>(),
                       out.data<T>(), lse.data<T>());
  });
  const SavedVariable result = SavedVariable::output(out, Keep::as_activation);
  return record("scaled_dot_product_attention", std::move(out), {q, k, v},
                [=, a = SavedVariable(Variable(x, q.node()), Keep::as_activation),
                 b = SavedVariable(Variable(y, k.node()), Keep::as_activation),
                 c = SavedVariable(Variable(z, v.node()), Keep::as_activation)](
                    const Variable& g, const BackwardContext& context) {
                  if (grad_enabled()) {
                    return recorded_backward(a.unpack(context), b.unpack(context),
                                             c.unpack(context), g, settings, context);
                  }
                  return backward(a.tensor(context), b.tensor(context), c.tensor(context),
                                  result.tensor(context), lse, g.value().contiguous(), settings);
                });
}

}  // namespace gladius
