// Variable: a tensor with a place in the graph of differentiable operations.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius {

class Node;

/// A cheap handle; copies are the same variable. A leaf is made from a tensor; other variables are
/// results of operations (autograd/ops/). The graph is dynamic: it lives in the results' nodes.
///
/// Const methods but backward(), and operations, may be called from several threads. What changes a
/// variable or its gradient needs one thread at a time, backward() included: it adds to the leaves.
class Variable {
 public:
  /// Called with a variable's gradient when it is complete; a defined result replaces the gradient.
  using Hook = std::function<Variable(const Variable& grad)>;

  /// The undefined variable.
  Variable() = default;
  /// A leaf. Only F32 and F64 can require gradients (DtypeError).
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return state_ != nullptr; }
  /// The tensor, shared, outside of any graph.
  const Tensor& value() const;
  /// Puts another tensor in the place of a leaf's (when weights are loaded), which starts anew
  /// without a gradient or hooks. ShapeError for another shape, DtypeError for a type that a leaf
  /// with gradients cannot have.
  void set_value(Tensor value);

  const Shape& shape() const { return value().shape(); }
  std::int64_t size(std::int64_t dim) const { return value().size(dim); }
  std::int64_t dim() const { return value().dim(); }
  std::int64_t numel() const { return value().numel(); }
  Dtype dtype() const { return value().dtype(); }
  double item() const { return value().item(); }
  /// Whether no other handle and no other tensor sees the value, which is contiguous and may be
  /// written: then its owner can reuse the memory.
  bool is_exclusive() const;
  /// "F32 [2, 3]", with " of mul" for the result of an operation; for messages.
  std::string describe() const;

  bool requires_grad() const;
  /// Of a leaf; GraphError for the result of an operation (use detach()).
  void set_requires_grad(bool requires_grad);
  bool is_leaf() const;
  /// The same tensor as a new leaf that needs no gradient.
  Variable detach() const { return Variable(value()); }

  /// What backward() has accumulated here: in leaves, and in others after retain_grad(). Undefined
  /// before the first.
  Tensor grad() const;
  void set_grad(Tensor grad);
  /// Forgets the gradient (its memory goes back to the cache).
  void zero_grad();
  /// Keep the gradient of this intermediate result too.
  void retain_grad();
  /// Hooks run in the order of registration, once the gradient is complete and before it is stored
  /// or passed on; backward() throws GraphError for a result of another shape or type. Returns an
  /// id for remove_hook. The variable's node owns its hooks: one that captures the variable itself
  /// keeps it alive for ever, so let it take what it needs from its argument, or remove it.
  std::size_t register_hook(Hook hook);
  void remove_hook(std::size_t id);

  /// Adds d(this)/d(leaf) to the gradient of every leaf of the graph. Without a seed this must have
  /// one element (GraphError). The graph is freed unless it is to be retained.
  void backward(const Variable& seed = {}, bool retain_graph = false) const;

  /// The node, or null if no gradient is needed. For operations and the engine.
  const std::shared_ptr<Node>& node() const;
  /// The result of an operation: `value` at `node`.
  Variable(Tensor value, std::shared_ptr<Node> node);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Parameters by name, in order.
using NamedVariables = std::vector<std::pair<std::string, Variable>>;

/// Gradients of the sum of `outputs`, each weighted by its seed, with respect to `inputs`, without
/// touching any .grad(). An input that the outputs do not depend on gives an undefined variable.
/// With `create_graph` the gradients can be differentiated again (and the graph is retained).
std::vector<Variable> grad(const std::vector<Variable>& outputs,
                           const std::vector<Variable>& inputs,
                           const std::vector<Variable>& seeds = {}, bool retain_graph = false,
                           bool create_graph = false);

}  // namespace gladius
