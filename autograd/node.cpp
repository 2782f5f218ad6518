#include "gladius/autograd/node.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

#include "gladius/autograd/anomaly.h"

namespace gladius {
namespace {

std::uint64_t next_sequence() {
  static std::atomic<std::uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

// Destroying a node may destroy its inputs' nodes, and so on down a graph a million operations
// deep. Each node leaves its references here instead, and the outermost destructor empties the
// list.
struct Remains {
  std::vector<std::shared_ptr<Node>> inputs;
  Backward backward;
};
thread_local std::vector<Remains>* remains = nullptr;

void destroy_iteratively(Remains first) {
  if (remains) {
    remains->push_back(std::move(first));
    return;
  }
  std::vector<Remains> list;
  remains = &list;
  list.push_back(std::move(first));
  while (!list.empty()) {
    const Remains last = std::move(list.back());
    list.pop_back();
  }
  remains = nullptr;
}

}  // namespace

Tensor* BackwardContext::accumulate_into(std::size_t i) const {
  if (!may_accumulate_ || !needs(i)) return nullptr;
  Node& input = *node_->inputs()[i];
  if (!input.is_leaf() || !input.hooks.empty() || !input.grad.defined()) return nullptr;
  const bool writable = input.grad.is_contiguous() && !input.grad.storage()->read_only();
  return writable ? &input.grad : nullptr;
}

Node::Node(const char* name, const Tensor& value, std::vector<std::shared_ptr<Node>> inputs,
           Backward backward)
    : name_(name),
      sequence_(next_sequence()),
      shape_(value.shape()),
      dtype_(value.dtype()),
      leaf_(!backward),
      precision_(product_precision()),
      inputs_(std::move(inputs)),
      backward_(std::move(backward)) {}

Node::~Node() {
  if (!leaf_) destroy_iteratively({std::move(inputs_), std::move(backward_)});
}

std::vector<Variable> Node::run_backward(const Variable& grad,
                                         const BackwardContext& context) const {
  if (!backward_) {
    throw GraphError(
        fmt::format("backward: the graph below {} {} was freed by an earlier backward "
                    "pass; ask that one to retain_graph",
                    name_, to_string(shape_)));
  }
  std::vector<Variable> grads = [&] {
    const DetectAnomaly off(false);  // what its own operations make is this one's
    const PrecisionScope precision(precision_);
    return backward_(grad, context);
  }();
  check_gradients(grads);
  if (anomaly_detection_enabled()) check_backward_anomaly(*this, grad, grads);
  return grads;
}

void Node::check_gradients(const std::vector<Variable>& grads) const {
  if (grads.size() != inputs_.size()) {
    throw GraphError(
        fmt::format("backward of {}: {} gradients for {} inputs; return an undefined "
                    "one where none is needed",
                    name_, grads.size(), inputs_.size()));
  }
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined() || !inputs_[i] || inputs_[i]->fits_gradient(grads[i])) continue;
    throw GraphError(fmt::format("backward of {}: gradient {} for input {}, {} {}", name_,
                                 grads[i].value().describe(), i, dtype_name(inputs_[i]->dtype()),
                                 to_string(inputs_[i]->shape())));
  }
}

void Node::free_saved() {
  if (!leaf_) destroy_iteratively({{}, std::exchange(backward_, nullptr)});
}

Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs,
                Backward backward) {
  if (anomaly_detection_enabled()) check_forward_anomaly(name, value, inputs);
  if (!grad_enabled()) return Variable(std::move(value));
  std::vector<std::shared_ptr<Node>> nodes;
  bool needed = false;
  for (const Variable& input : inputs) {
    nodes.push_back(input.defined() ? input.node() : nullptr);
    needed = needed || nodes.back();
  }
  if (!needed) return Variable(std::move(value));
  auto node = std::make_shared<Node>(name, value, std::move(nodes), std::move(backward));
  return Variable(std::move(value), std::move(node));
}

}  // namespace gladius
