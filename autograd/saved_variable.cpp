#include "gladius/autograd/saved_variable.h"

#include <fmt/format.h>

#include <utility>

#include "gladius/autograd/node.h"
#include "gladius/tensor/precision.h"

namespace gladius {
namespace {

thread_local SavedTensorHooks* hooks_in_force = nullptr;

Tensor as_kept(const Tensor& value, Keep keep) {
  // Without gradients nothing is kept, and rounding would be for nothing.
  const bool rounds = keep == Keep::as_activation && product_precision() == Precision::bf16 &&
                      value.dtype() == Dtype::F32 && grad_enabled();
  return rounds ? value.to(Dtype::BF16) : value;
}

}  // namespace

SavedTensorScope::SavedTensorScope(SavedTensorHooks& hooks)
    : previous_(std::exchange(hooks_in_force, &hooks)) {}

SavedTensorScope::~SavedTensorScope() { hooks_in_force = previous_; }

SavedVariable::SavedVariable(const Variable& input, Keep keep)
    : dtype_(input.dtype()), node_(input.node()) {
  const Tensor value = as_kept(input.value(), keep);
  version_ = value.version();
  if (hooks_in_force) {
    packed_ = hooks_in_force->pack(value, input.requires_grad() && input.is_leaf());
  }
  if (!packed_) value_ = value;
}

SavedVariable SavedVariable::output(const Tensor& result, Keep keep) {
  SavedVariable saved(Variable(result), keep);
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

const Tensor& SavedVariable::kept(const BackwardContext& context) const {
  return checked("backward of ", context.node()->name());
}

Tensor SavedVariable::tensor(const BackwardContext& context) const {
  return kept(context).to(dtype_);
}

Variable SavedVariable::unpack(const BackwardContext& context) const {
  return Variable(tensor(context), is_output_ ? context.node() : node_);
}

Variable SavedVariable::unpack(const char* user) const {
  return Variable(checked("", user).to(dtype_), node_);
}

}  // namespace gladius
