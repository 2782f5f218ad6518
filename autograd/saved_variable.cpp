#include "gladius/autograd/saved_variable.h"

#include <fmt/format.h>

#include <utility>

#include "gladius/autograd/node.h"

namespace gladius {
namespace {

thread_local SavedTensorHooks* hooks_in_force = nullptr;

}  // namespace

SavedTensorScope::SavedTensorScope(SavedTensorHooks& hooks)
    : previous_(std::exchange(hooks_in_force, &hooks)) {}

SavedTensorScope::~SavedTensorScope() { hooks_in_force = previous_; }

SavedVariable::SavedVariable(const Variable& input)
    : node_(input.node()), version_(input.value().version()) {
  if (hooks_in_force) {
    packed_ = hooks_in_force->pack(input.value(), input.requires_grad() && input.is_leaf());
  }
  if (!packed_) value_ = input.value();
}

SavedVariable SavedVariable::output(const Tensor& result) {
  SavedVariable saved{Variable(result)};
  saved.is_output_ = true;
  return saved;
}

const Tensor& SavedVariable::checked(const char* prefix, const char* user) const {
  if (packed_) return packed_->unpack();
  if (value_.version() != version_) {
    throw GraphError(
        fmt::format("{}{}: {} was saved for it at version {} and has been modified in place since "
                    "(version {}); "
                    "clone() it before changing it",
                    prefix, user, value_.describe(), version_, value_.version()));
  }
  return value_;
}

const Tensor& SavedVariable::tensor(const BackwardContext& context) const {
  return checked("backward of ", context.node()->name());
}

Variable SavedVariable::unpack(const BackwardContext& context) const {
  return Variable(tensor(context), is_output_ ? context.node() : node_);
}

Variable SavedVariable::unpack(const char* user) const {
  return Variable(checked("", user), node_);
}

}  // namespace gladius
