// What an operation leaves in the graph. Operations include this; users of variables need not.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/saved_variable.h"
#include "gladius/autograd/variable.h"
#include "gladius/tensor/precision.h"

namespace gladius {

/// What the engine tells a backward function.
class BackwardContext {
 public:
  BackwardContext(const std::shared_ptr<Node>& node, const std::vector<bool>& needed,
                  bool may_accumulate, bool frees_saved)
      : node_(node), needed_(needed), may_accumulate_(may_accumulate), frees_saved_(frees_saved) {}

  const std::shared_ptr<Node>& node() const { return node_; }
  /// Whether the gradient of input i will be used.
  bool needs(std::size_t i) const { return needed_[i]; }
  /// The gradient that leaf input i already has, for the operation to add to in place; it then
  /// returns an undefined gradient for i. Null: return the gradient. Saves a pass over each large
  /// weight when gradients are accumulated over several backward passes.
  Tensor* accumulate_into(std::size_t i) const;
  /// Whether this is the last use of what was saved, whose memory may then become a gradient's.
  bool frees_saved() const { return frees_saved_; }

 private:
  const std::shared_ptr<Node>& node_;
  const std::vector<bool>& needed_;
  bool may_accumulate_;
  bool frees_saved_;
};

/// From the gradient of the result to those of the inputs, one for each; undefined where not
/// needed or 0. Written in operations on variables, it can be differentiated itself (grad with
/// create_graph).
using Backward = std::function<std::vector<Variable>(const Variable& grad, const BackwardContext&)>;

/// A value in the graph: the result of an operation, or a leaf (no backward function). Holds no
/// data but gradients and what the backward function has saved.
class Node : public std::enable_shared_from_this<Node> {
 public:
  Node(const char* name, const Tensor& value, std::vector<std::shared_ptr<Node>> inputs,
       Backward backward);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  /// Not recursive, however deep the graph.
  ~Node();

  const char* name() const { return name_; }
  /// Later nodes have larger numbers, so inputs come before what is made of them.
  std::uint64_t sequence() const { return sequence_; }
  const Shape& shape() const { return shape_; }
  Dtype dtype() const { return dtype_; }
  const std::vector<std::shared_ptr<Node>>& inputs() const { return inputs_; }
  bool is_leaf() const { return leaf_; }
  /// Whether a defined variable can be the gradient of this value: it has its shape and type.
  bool fits_gradient(const Variable& grad) const {
    return grad.value().defined() && grad.shape() == shape_ && grad.dtype() == dtype_;
  }

  /// Runs the backward function; GraphError if it was freed by an earlier pass, or gives another
  /// number of gradients than there are inputs, or one of another shape or type.
  std::vector<Variable> run_backward(const Variable& grad, const BackwardContext& context) const;
  /// Lets go of the backward function and all it saved.
  void free_saved();

  Tensor grad;  // accumulated here in leaves and where retained
  bool retains_grad = false;
  std::vector<std::pair<std::size_t, Variable::Hook>> hooks;
  std::size_t next_hook = 0;

 private:
  void check_gradients(const std::vector<Variable>& grads) const;

  const char* name_;
  std::uint64_t sequence_;
  Shape shape_;
  Dtype dtype_;
  bool leaf_;
  Precision precision_;  // of the operation's products, also in its backward function
  std::vector<std::shared_ptr<Node>> inputs_;  // null: that input needs no gradient
  Backward backward_;
};

/// The result of operation `name` (a string literal): `value`, recorded with its backward function
/// if gradients are enabled and some input requires one.
Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs,
                Backward backward);

}  // namespace gladius
