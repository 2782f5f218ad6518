#include "gladius/autograd/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "gladius/autograd/anomaly.h"
#include "gladius/autograd/gradient_observer.h"
#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/tensor/elementwise.h"

namespace gladius {
namespace {

using NodePtr = std::shared_ptr<Node>;

// Whether nobody else can see the tensor change.
bool is_exclusive(const Tensor& tensor) {
  return tensor.storage().use_count() == 1 && !tensor.storage()->read_only() &&
         tensor.is_contiguous();
}

// What a hook returns takes the gradient's place, so it must be one: whoever reads it next (an
// optimizer, an operation's backward) trusts its shape.
void run_hooks(const Node& node, Variable& grad) {
  for (const auto& [id, hook] : std::vector(node.hooks)) {
    Variable replaced = hook(grad);
    if (!replaced.defined()) continue;
    if (!node.fits_gradient(replaced)) {
      throw GraphError(fmt::format(
          "backward: a hook of {} {} {} returned {}; a gradient has the variable's shape and type",
          node.name(), dtype_name(node.dtype()), to_string(node.shape()),
          replaced.value().describe()));
    }
    grad = std::move(replaced);
  }
}

class BackwardPass {
 public:
  BackwardPass(const std::vector<Variable>& inputs, const EngineOptions& options)
      : options_(options),
        captures_(!inputs.empty()),
        observer_(captures_ ? nullptr : GradientObserver::current()) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].requires_grad()) {
        throw GraphError(fmt::format("grad: input {}, {}, does not require a gradient", i,
                                     inputs[i].describe()));
      }
      targets_.insert(inputs[i].node().get());
    }
  }

  void seed(const Variable& output, const Variable& seed) {
    if (!output.requires_grad()) {
      throw GraphError(
          fmt::format("backward: the output, {}, does not require a gradient: none of what it is "
                      "made of does",
                      output.describe()));
    }
    Variable grad = seed;
    if (!grad.defined()) {
      if (output.numel() != 1) {
        throw GraphError(
            fmt::format("backward: the output, {}, needs a seed gradient; without one it must have "
                        "one element",
                        output.describe()));
      }
      grad = Variable(Tensor::ones(output.shape(), output.dtype()));
    } else if (!output.node()->fits_gradient(grad)) {
      throw GraphError(fmt::format("backward: seed {} does not fit output {}", grad.describe(),
                                   output.describe()));
    }
    if (captures_) mark_needed(output.node());
    if (observer_) count_uses(output.node());
    deliver(output.node(), std::move(grad));
  }

  // Later nodes first: the sequence numbers are a topological order.
  void run() {
    while (!ready_.empty()) {
      const NodePtr node = ready_.top();
      ready_.pop();
      Variable grad = std::move(pending_.at(node.get()));
      pending_.erase(node.get());
      run_hooks(*node, grad);
      if (targets_.contains(node.get())) captured_[node.get()] = grad;
      if (!captures_ && (node->is_leaf() || node->retains_grad)) accumulate(*node, grad);
      pass_on(node, std::move(grad));
      if (observer_) end_uses(*node);
    }
    for (const auto& [leaf, uses] : uses_) observer_->tell(leaf);  // nothing more comes
    uses_.clear();
  }

  Variable captured(const Variable& input) const {
    const auto found = captured_.find(input.node().get());
    return found == captured_.end() ? Variable() : found->second;
  }

 private:
  struct Earlier {
    bool operator()(const NodePtr& a, const NodePtr& b) const {
      return a->sequence() < b->sequence();
    }
  };

  // Finds the nodes on a path to a target. Visits inputs before what is made of them.
  void mark_needed(const NodePtr& output) {
    std::vector<Node*> nodes{output.get()};
    std::unordered_set<Node*> seen{output.get()};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (const NodePtr& input : nodes[i]->inputs()) {
        if (input && seen.insert(input.get()).second) nodes.push_back(input.get());
      }
    }
    std::ranges::sort(nodes, {}, &Node::sequence);
    for (Node* node : nodes) {
      const bool leads = std::ranges::any_of(node->inputs(), [&](const NodePtr& input) {
        return input && needed_.contains(input.get());
      });
      if (leads || targets_.contains(node)) needed_.insert(node);
    }
  }

  // How often each leaf is an input of the nodes that lead to `output`.
  void count_uses(const NodePtr& output) {
    std::vector<const Node*> nodes{output.get()};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!counted_.insert(nodes[i]).second) continue;
      for (const NodePtr& input : nodes[i]->inputs()) {
        if (!input) continue;
        if (input->is_leaf()) ++uses_[input.get()];
        nodes.push_back(input.get());
      }
    }
  }

  // The node's gradient has been passed on. A leaf that has hooks gets its own at the very end.
  void end_uses(const Node& node) {
    for (const NodePtr& input : node.inputs()) {
      const auto uses = input ? uses_.find(input.get()) : uses_.end();
      if (uses == uses_.end() || --uses->second > 0 || !input->hooks.empty()) continue;
      uses_.erase(uses);
      observer_->tell(input.get());
    }
  }

  bool is_needed(const NodePtr& node) const {
    return node && (!captures_ || needed_.contains(node.get()));
  }

  void pass_on(const NodePtr& node, Variable grad) {
    std::vector<bool> needed;
    for (const NodePtr& input : node->inputs()) needed.push_back(is_needed(input));
    if (std::ranges::find(needed, true) == needed.end()) return;
    // An anomaly is looked for in gradients that are returned.
    const bool may_accumulate = !captures_ && !anomaly_detection_enabled();
    const BackwardContext context(node, needed, may_accumulate, !options_.retain_graph);
    std::vector<Variable> grads = node->run_backward(grad, context);
    grad = Variable();
    if (!options_.retain_graph) node->free_saved();
    for (std::size_t i = 0; i < grads.size(); ++i) {
      if (needed[i] && grads[i].defined()) deliver(node->inputs()[i], std::move(grads[i]));
    }
  }

  void deliver(const NodePtr& node, Variable grad) {
    // A leaf that nobody watches takes each contribution at once.
    if (node->is_leaf() && !captures_ && node->hooks.empty())
      return accumulate(*node, std::move(grad));
    const auto [place, fresh] = pending_.try_emplace(node.get());
    if (fresh) {
      place->second = std::move(grad);
      ready_.push(node);
    } else if (options_.create_graph) {
      place->second = add(place->second, grad);
    } else {
      place->second = sum_of(std::move(place->second), grad);
    }
  }

  static Variable sum_of(Variable total, const Variable& grad) {
    Tensor value = total.value();
    total = Variable();
    if (!is_exclusive(value)) return Variable(add(value, grad.value()));
    add_(value, grad.value());
    return Variable(std::move(value));
  }

  // Adds to the stored gradient; the first one is taken over if nobody else holds it.
  static void accumulate(Node& node, Variable grad) {
    Tensor value = grad.value();
    grad = Variable();
    if (node.grad.defined()) {
      add_(node.grad, value);
    } else {
      node.grad = is_exclusive(value) ? std::move(value) : value.clone();
    }
  }

  const EngineOptions options_;
  const bool captures_;  // gradients are returned, not accumulated
  const GradientObserver* const observer_;
  std::unordered_map<const Node*, std::int64_t> uses_;  // of leaves, that are still to come
  std::unordered_set<const Node*> counted_;
  std::unordered_set<const Node*> targets_;
  std::unordered_set<const Node*> needed_;
  std::priority_queue<NodePtr, std::vector<NodePtr>, Earlier> ready_;
  std::unordered_map<const Node*, Variable> pending_;
  std::unordered_map<const Node*, Variable> captured_;
};

}  // namespace

std::vector<Variable> run_engine(const std::vector<Variable>& outputs,
                                 const std::vector<Variable>& seeds,
                                 const std::vector<Variable>& inputs,
                                 const EngineOptions& options) {
  if (seeds.size() != outputs.size()) {
    throw GraphError(fmt::format("grad: {} seeds for {} outputs", seeds.size(), outputs.size()));
  }
  const GradMode mode(options.create_graph);
  BackwardPass pass(inputs, options);
  for (std::size_t i = 0; i < outputs.size(); ++i) pass.seed(outputs[i], seeds[i]);
  pass.run();
  std::vector<Variable> grads;
  for (const Variable& input : inputs) grads.push_back(pass.captured(input));
  return grads;
}

}  // namespace gladius
