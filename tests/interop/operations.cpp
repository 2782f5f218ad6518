#include "interop/operations.h"

#include <concepts>

#include "gladius/autograd/ops/alm_loss.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/attention.h"
#include "gladius/autograd/ops/embedding.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/layer_norm.h"
#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/rms_norm.h"
#include "gladius/autograd/ops/rotary_embedding.h"
#include "gladius/autograd/ops/softmax.h"
#include "gladius/autograd/ops/swiglu.h"
#include "gladius/autograd/ops/uld_loss.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/optim/muon.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/sort.h"

namespace gladius {
namespace {

// The function may return variables, a variable, or a tensor (no gradients).
template <class Function>
Operation operation(Function f) {
  return [f](Inputs x, Attributes a) -> Variables {
    if constexpr (std::same_as<std::invoke_result_t<Function, Inputs, Attributes>, Variables>) {
      return f(x, a);
    } else {
      return {Variable(f(x, a))};
    }
  };
}

Operation unary(Variable (*f)(const Variable&)) {
  return operation([f](Inputs x, Attributes) { return f(x.at(0)); });
}

Operation binary(Variable (*f)(const Variable&, const Variable&)) {
  return operation([f](Inputs x, Attributes) { return f(x.at(0), x.at(1)); });
}

Operation with_number(Variable (*f)(const Variable&, double)) {
  return operation([f](Inputs x, Attributes a) { return f(x.at(0), a.number("value")); });
}

Operation from_number(Variable (*f)(double, const Variable&)) {
  return operation([f](Inputs x, Attributes a) { return f(a.number("value"), x.at(0)); });
}

Operation comparison(Tensor (*f)(const Tensor&, const Tensor&)) {
  return operation([f](Inputs x, Attributes) { return f(x.at(0).value(), x.at(1).value()); });
}

Operation reduction(Variable (*f)(const Variable&, const Dims&, bool)) {
  return operation(
      [f](Inputs x, Attributes a) { return f(x.at(0), a.list("dims"), a.flag("keepdim")); });
}

Operation along_dim(Variable (*f)(const Variable&, std::int64_t)) {
  return operation([f](Inputs x, Attributes a) { return f(x.at(0), a.integer("dim")); });
}

Operation joined(Variable (*f)(const Variables&, std::int64_t)) {
  return operation([f](Inputs x, Attributes a) { return f(x, a.integer("dim")); });
}

Operation choice(Tensor (*f)(const Tensor&, std::int64_t, bool)) {
  return operation([f](Inputs x, Attributes a) {
    return f(x.at(0).value(), a.integer("dim"), a.flag("keepdim"));
  });
}

Operation triangle(Tensor (*f)(const Tensor&, std::int64_t)) {
  return operation(
      [f](Inputs x, Attributes a) { return f(x.at(0).value(), a.integer("diagonal")); });
}

// The undefined tensor for an undefined variable.
Tensor tensor_of(const Variable& x) { return x.defined() ? x.value() : Tensor(); }

Variables attention(Inputs x, Attributes a) {
  const AttentionOptions options{
      .causal = a.flag("causal"), .scale = a.number("scale"), .first_key = tensor_of(x.at(3))};
  return {scaled_dot_product_attention(x.at(0), x.at(1), x.at(2), options)};
}

LossReduction reduction_named(const std::string& name) {
  static const std::map<std::string, LossReduction> reductions{
      {"none", LossReduction::none},
      {"mean", LossReduction::mean},
      {"sum", LossReduction::sum},
      {"batchmean", LossReduction::batchmean}};
  return reductions.at(name);
}

Divergence divergence_named(const std::string& name) {
  static const std::map<std::string, Divergence> divergences{{"forward_kl", Divergence::forward_kl},
                                                             {"reverse_kl", Divergence::reverse_kl},
                                                             {"jsd", Divergence::jsd},
                                                             {"skew_kl", Divergence::skew_kl}};
  return divergences.at(name);
}

DistillationOptions distillation_options(Attributes a) {
  return {.temperature = a.number("temperature"),
          .alpha = a.number("alpha"),
          .divergence = divergence_named(a.text("divergence")),
          .beta = a.number("beta"),
          .labelled_only = a.text("tokens") == "labelled",
          .reduction = reduction_named(a.text("reduction")),
          .sequences = a.integer("sequences"),
          .vocabulary = a.integer("vocabulary"),
          .ignore_index = a.integer("ignore_index")};
}

Variables parts(const DistillationLoss& result) {
  return {result.loss, Variable(Tensor::scalar(result.kl, Dtype::F64)),
          Variable(Tensor::scalar(result.ce, Dtype::F64))};
}

// Rows [K, 2] and likelihoods [K].
std::vector<AlmChunk> alm_chunks(const Tensor& rows, const Tensor& teacher) {
  if (teacher.dim() != 1 || rows.shape() != Shape{teacher.size(0), 2}) {
    throw ShapeError("chunks are not [K, 2] with likelihoods [K]");
  }
  const auto ends = rows.to_vector<std::int64_t>();
  const auto likelihoods = teacher.to_vector<double>();
  std::vector<AlmChunk> chunks;
  for (std::size_t i = 0; i < likelihoods.size(); ++i) {
    chunks.push_back({ends[2 * i], ends[2 * i + 1], likelihoods[i]});
  }
  return chunks;
}

// The teacher's row of each of the student's rows: [N].
std::vector<std::int64_t> counterparts(const Tensor& rows) {
  if (rows.dim() != 1) {
    throw ShapeError("the teacher's rows are not [N]");
  }
  return rows.to_vector<std::int64_t>();
}

Variables both(Sorted sorted) {
  return {Variable(std::move(sorted.values)), Variable(std::move(sorted.indices))};
}

// x: a parameter, and the gradient of each step; the learning rate falls as 1 / (1 + step).
template <class Rule>
Tensor updated(Inputs x, const auto& options) {
  Variable parameter(x.at(0).value().clone(), /*requires_grad=*/true);
  Optimizer optimizer({{{{"x", parameter}}, std::make_shared<Rule>(options)}});
  for (std::size_t step = 1; step < x.size(); ++step) {
    parameter.set_grad(x[step].value());
    optimizer.set_lr_factor(1 / static_cast<double>(step));
    optimizer.step();
  }
  return parameter.value();
}

}  // namespace

const std::map<std::string, Operation>& operations() {
  static const std::map<std::string, Operation> table{
      // Functions of one variable.
      {"exp", unary(exp)},
      {"log", unary(log)},
      {"sqrt", unary(sqrt)},
      {"rsqrt", unary(rsqrt)},
      {"tanh", unary(tanh)},
      {"sigmoid", unary(sigmoid)},
      {"silu", unary(silu)},
      {"gelu", unary(gelu)},
      {"relu", unary(relu)},
      {"abs", unary(abs)},
      {"neg", unary(neg)},
      {"clamp", operation([](Inputs x, Attributes a) {
         return clamp(x.at(0), a.number("low"), a.number("high"));
       })},
      {"pow_number", with_number(pow)},
      // Arithmetic.
      {"add", binary(add)},
      {"sub", binary(sub)},
      {"mul", binary(mul)},
      {"div", binary(div)},
      {"maximum", binary(maximum)},
      {"minimum", binary(minimum)},
      {"where",
       operation([](Inputs x, Attributes) { return where(x.at(0).value(), x.at(1), x.at(2)); })},
      {"pow", binary(pow)},
      {"add_number", with_number(add)},
      {"sub_number", with_number(sub)},
      {"mul_number", with_number(mul)},
      {"div_number", with_number(div)},
      {"number_sub", from_number(sub)},
      {"number_div", from_number(div)},
      {"number_pow", from_number(pow)},
      // Products.
      {"matmul", binary(matmul)},
      {"linear", operation([](Inputs x, Attributes) { return linear(x.at(0), x.at(1), x.at(2)); })},
      // Views.
      {"reshape",
       operation([](Inputs x, Attributes a) { return reshape(x.at(0), a.list("shape")); })},
      {"permute",
       operation([](Inputs x, Attributes a) { return permute(x.at(0), a.list("dims")); })},
      {"transpose", operation([](Inputs x, Attributes a) {
         return transpose(x.at(0), a.integer("a"), a.integer("b"));
       })},
      {"narrow", operation([](Inputs x, Attributes a) {
         return narrow(x.at(0), a.integer("dim"), a.integer("start"), a.integer("length"),
                       a.integer("step"));
       })},
      {"view", operation([](Inputs x, Attributes a) { return view(x.at(0), a.list("shape")); })},
      {"slice", operation([](Inputs x, Attributes a) {
         return slice(x.at(0), a.integer("dim"), a.integer("start"), a.integer("end"),
                      a.integer("step"));
       })},
      {"select", operation([](Inputs x, Attributes a) {
         return select(x.at(0), a.integer("dim"), a.integer("index"));
       })},
      {"expand",
       operation([](Inputs x, Attributes a) { return expand(x.at(0), a.list("shape")); })},
      {"unsqueeze", along_dim(unsqueeze)},
      {"squeeze", along_dim(squeeze)},
      // Joins.
      {"cat", joined(cat)},
      {"stack", joined(stack)},
      {"split", operation([](Inputs x, Attributes a) {
         return split(x.at(0), a.integer("length"), a.integer("dim"));
       })},
      // Indices.
      {"index_select", operation([](Inputs x, Attributes a) {
         return index_select(x.at(0), a.integer("dim"), x.at(1).value());
       })},
      {"gather", operation([](Inputs x, Attributes a) {
         return gather(x.at(0), a.integer("dim"), x.at(1).value());
       })},
      {"scatter_add", operation([](Inputs x, Attributes a) {
         return scatter_add(x.at(0), a.integer("dim"), x.at(1).value(), x.at(2));
       })},
      {"embedding",
       operation([](Inputs x, Attributes) { return embedding(x.at(0), x.at(1).value()); })},
      // Reductions.
      {"sum", reduction(sum)},
      {"mean", reduction(mean)},
      {"amax", reduction(amax)},
      {"amin", reduction(amin)},
      {"logsumexp", reduction(logsumexp)},
      {"var", operation([](Inputs x, Attributes a) {
         return var(x.at(0), a.list("dims"), a.number("correction"), a.flag("keepdim"));
       })},
      {"softmax", along_dim(softmax)},
      {"log_softmax", along_dim(log_softmax)},
      // What models are made of.
      {"rms_norm", operation([](Inputs x, Attributes a) {
         return rms_norm(x.at(0), x.at(1), a.number("eps"));
       })},
      {"layer_norm", operation([](Inputs x, Attributes a) {
         return layer_norm(x.at(0), x.at(1), x.at(2), a.number("eps"));
       })},
      {"rotary_embedding", operation([](Inputs x, Attributes) {
         return rotary_embedding(x.at(0), x.at(1).value(), x.at(2).value(), x.at(3).value());
       })},
      {"attention", operation(attention)},
      {"swiglu", binary(swiglu)},
      // Losses.
      {"mse_loss", operation([](Inputs x, Attributes a) {
         return mse_loss(x.at(0), x.at(1), reduction_named(a.text("reduction")));
       })},
      {"kl_div", operation([](Inputs x, Attributes a) {
         return kl_div(x.at(0), x.at(1), reduction_named(a.text("reduction")),
                       a.flag("log_target"));
       })},
      {"cross_entropy", operation([](Inputs x, Attributes a) {
         return cross_entropy(x.at(0), x.at(1).value(), a.integer("ignore_index"),
                              reduction_named(a.text("reduction")));
       })},
      {"nll_loss", operation([](Inputs x, Attributes a) {
         return nll_loss(x.at(0), x.at(1).value(), a.integer("ignore_index"),
                         reduction_named(a.text("reduction")));
       })},
      {"distillation_loss", operation([](Inputs x, Attributes a) {
         return parts(
             distillation_loss(x.at(0), x.at(1).value(), x.at(2).value(), distillation_options(a)));
       })},
      {"linear_cross_entropy", operation([](Inputs x, Attributes a) {
         return linear_cross_entropy(x.at(0), x.at(1), x.at(2).value(), a.integer("ignore_index"));
       })},
      {"linear_distillation_loss", operation([](Inputs x, Attributes a) {
         return parts(linear_distillation_loss(x.at(0), x.at(1),
                                               rows_of(x.at(2).value(), x.at(0).size(0)),
                                               x.at(3).value(), distillation_options(a)));
       })},
      {"linear_alm_loss", operation([](Inputs x, Attributes a) {
         return parts(linear_alm_loss(
             x.at(0), x.at(1), {x.at(2).value(), alm_chunks(x.at(3).value(), x.at(4).value())},
             x.at(5).value(), distillation_options(a), a.number("tau")));
       })},
      {"linear_uld_loss", operation([](Inputs x, Attributes a) {
         const Tensor teacher = x.at(2).value();
         return parts(linear_uld_loss(x.at(0), x.at(1), rows_of(teacher, teacher.size(0)),
                                      counterparts(x.at(3).value()), x.at(4).value(),
                                      distillation_options(a)));
       })},
      // Without gradients.
      {"eq", comparison(eq)},
      {"lt", comparison(lt)},
      {"le", comparison(le)},
      {"ne", comparison(ne)},
      {"gt", comparison(gt)},
      {"ge", comparison(ge)},
      {"argmax", choice(argmax)},
      {"argmin", choice(argmin)},
      {"sort", operation([](Inputs x, Attributes a) {
         return both(sort(x.at(0).value(), a.integer("dim"), a.flag("descending")));
       })},
      {"topk", operation([](Inputs x, Attributes a) {
         return both(topk(x.at(0).value(), a.integer("k"), a.integer("dim"), a.flag("largest")));
       })},
      {"cumsum",
       operation([](Inputs x, Attributes a) { return cumsum(x.at(0).value(), a.integer("dim")); })},
      {"tril", triangle(tril)},
      {"triu", triangle(triu)},
      {"arange", operation([](Inputs, Attributes a) {
         return arange(a.number("start"), a.number("end"), a.number("step"),
                       dtype_from_name(a.text("dtype")));
       })},
      // Optimizers: a parameter and the gradient of each step -> the parameter after them.
      {"adamw", operation([](Inputs x, Attributes a) {
         return updated<AdamWRule>(x, AdamWOptions{.lr = a.number("lr"),
                                                   .beta1 = a.number("beta1"),
                                                   .beta2 = a.number("beta2"),
                                                   .eps = a.number("eps"),
                                                   .weight_decay = a.number("weight_decay")});
       })},
      {"muon", operation([](Inputs x, Attributes a) {
         return updated<MuonRule>(x, MuonOptions{.lr = a.number("lr"),
                                                 .weight_decay = a.number("weight_decay"),
                                                 .momentum = a.number("momentum")});
       })},
  };
  return table;
}

}  // namespace gladius
