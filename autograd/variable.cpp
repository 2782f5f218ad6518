#include "gladius/autograd/variable.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gladius/autograd/engine.h"
#include "gladius/autograd/node.h"

namespace gladius {

namespace {

void check_differentiable(const char* op, const Tensor& value) {
  if (value.dtype() != Dtype::F32 && value.dtype() != Dtype::F64) {
    throw DtypeError(
        fmt::format("{}: {} cannot have gradients; only F32 and F64 can", op, value.describe()));
  }
}

}  // namespace

struct Variable::State {
  State(Tensor initial, std::shared_ptr<Node> at)
      : value(std::move(initial)), node(std::move(at)) {}

  Tensor value;
  std::shared_ptr<Node> node;
};

Variable::Variable(Tensor value, bool requires_grad)
    : state_(std::make_shared<State>(std::move(value), nullptr)) {
  set_requires_grad(requires_grad);
}

Variable::Variable(Tensor value, std::shared_ptr<Node> node)
    : state_(std::make_shared<State>(std::move(value), std::move(node))) {}

const Tensor& Variable::value() const {
  if (!state_) throw Error("variable: the undefined variable has no value");
  return state_->value;
}

void Variable::set_value(Tensor value) {
  if (!is_leaf()) {
    throw GraphError(fmt::format(
        "set_value: {} is no leaf, and only a leaf's value can be replaced", describe()));
  }
  if (!value.defined() || value.shape() != shape()) {
    throw ShapeError(fmt::format("set_value: {} in the place of {}", value.describe(),
                                 this->value().describe()));
  }
  const bool needed = requires_grad();
  if (needed) check_differentiable("set_value", value);
  state_->value = std::move(value);
  // The node knows the old element type; a new leaf takes its place.
  set_requires_grad(false);
  set_requires_grad(needed);
}

bool Variable::is_exclusive() const {
  if (state_.use_count() != 1) return false;
  const auto& storage = state_->value.storage();
  return storage.use_count() == 1 && !storage->read_only() && state_->value.is_contiguous();
}

std::string Variable::describe() const {
  if (!state_) return "the undefined variable";
  if (is_leaf()) return value().describe();
  return fmt::format("{} of {}", value().describe(), state_->node->name());
}

bool Variable::requires_grad() const { return state_ && state_->node; }

bool Variable::is_leaf() const { return state_ && (!state_->node || state_->node->is_leaf()); }

void Variable::set_requires_grad(bool requires_grad) {
  if (!is_leaf()) {
    throw GraphError(
        fmt::format("set_requires_grad: {} is no leaf; detach() a result first", describe()));
  }
  if (requires_grad == this->requires_grad()) return;
  if (!requires_grad) {
    state_->node = nullptr;
    return;
  }
  check_differentiable("set_requires_grad", value());
  state_->node =
      std::make_shared<Node>("leaf", value(), std::vector<std::shared_ptr<Node>>{}, nullptr);
}

const std::shared_ptr<Node>& Variable::node() const {
  static const std::shared_ptr<Node> none;
  return state_ ? state_->node : none;
}

namespace {
Node& node_with_gradients(const char* op, const Variable& variable) {
  if (!variable.requires_grad()) {
    throw GraphError(fmt::format("{}: {} does not require a gradient", op, variable.describe()));
  }
  return *variable.node();
}
}  // namespace

Tensor Variable::grad() const { return requires_grad() ? state_->node->grad : Tensor(); }

void Variable::set_grad(Tensor grad) {
  Node& node = node_with_gradients("set_grad", *this);
  if (grad.defined() && (grad.shape() != shape() || grad.dtype() != dtype())) {
    throw ShapeError(
        fmt::format("set_grad: {} is no gradient of {}", grad.describe(), value().describe()));
  }
  node.grad = std::move(grad);
}

void Variable::zero_grad() {
  if (requires_grad()) state_->node->grad = Tensor();
}

void Variable::retain_grad() { node_with_gradients("retain_grad", *this).retains_grad = true; }

std::size_t Variable::register_hook(Hook hook) {
  Node& node = node_with_gradients("register_hook", *this);
  node.hooks.emplace_back(node.next_hook, std::move(hook));
  return node.next_hook++;
}

void Variable::remove_hook(std::size_t id) {
  auto& hooks = node_with_gradients("remove_hook", *this).hooks;
  std::erase_if(hooks, [=](const auto& hook) { return hook.first == id; });
}

void Variable::backward(const Variable& seed, bool retain_graph) const {
  run_engine({*this}, {seed}, {}, {.retain_graph = retain_graph, .create_graph = false});
}

std::vector<Variable> grad(const std::vector<Variable>& outputs,
                           const std::vector<Variable>& inputs, const std::vector<Variable>& seeds,
                           bool retain_graph, bool create_graph) {
  if (inputs.empty()) throw GraphError("grad: no inputs to differentiate with respect to");
  return run_engine(outputs, seeds.empty() ? std::vector<Variable>(outputs.size()) : seeds, inputs,
                    {.retain_graph = retain_graph || create_graph, .create_graph = create_graph});
}

}  // namespace gladius
