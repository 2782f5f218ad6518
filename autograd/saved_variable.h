// What an operation keeps for its backward pass.
#pragma once

#include <cstdint>
#include <memory>

#include "gladius/autograd/variable.h"

namespace gladius {

class BackwardContext;

/// Stands in for a saved tensor; see SavedTensorHooks.
class PackedTensor {
 public:
  virtual ~PackedTensor() = default;
  /// The tensor again; it stays with this object.
  virtual const Tensor& unpack() = 0;
};

/// Decides how the values are kept that operations save while it is in force, on this thread
/// (PyTorch's saved_tensors_hooks). checkpoint() keeps them by recomputing them.
class SavedTensorHooks {
 public:
  virtual ~SavedTensorHooks() = default;
  /// For each value in the order of saving: what stands in for it, or null to keep the tensor.
  /// `is_leaf`: it is a leaf with gradients (a parameter), which lives on anyway.
  virtual std::shared_ptr<PackedTensor> pack(const Tensor& value, bool is_leaf) = 0;
};

/// Puts hooks in force for a scope; the innermost ones count.
class SavedTensorScope {
 public:
  explicit SavedTensorScope(SavedTensorHooks& hooks);
  ~SavedTensorScope();
  SavedTensorScope(const SavedTensorScope&) = delete;
  SavedTensorScope& operator=(const SavedTensorScope&) = delete;

 private:
  SavedTensorHooks* previous_;
};

/// How a value is kept for the backward pass.
enum class Keep {
  exactly,
  /// As an activation that products and their like are differentiated with: F32 is rounded to BF16
  /// where that is product_precision(), in half the memory.
  as_activation,
};

/// A value kept for the backward pass. It notices when the value is changed in place meanwhile.
class SavedVariable {
 public:
  SavedVariable() = default;
  /// Saves an input of the operation.
  explicit SavedVariable(const Variable& input, Keep keep = Keep::exactly);
  /// Saves the operation's own result; its node is put back by unpack (a cycle otherwise).
  static SavedVariable output(const Tensor& result, Keep keep = Keep::exactly);

  /// The value with its place in the graph. GraphError naming the operation if it has changed.
  Variable unpack(const BackwardContext& context) const;
  /// The value alone.
  Tensor tensor(const BackwardContext& context) const;
  /// The same in the type that it is kept in.
  const Tensor& kept(const BackwardContext& context) const;

  /// The same for what is saved outside of an operation; `user` is named in the error.
  Variable unpack(const char* user) const;

 private:
  const Tensor& checked(const char* prefix, const char* user) const;

  Dtype dtype_ = Dtype::F32;  // of the value that was saved
  Tensor value_;
  std::shared_ptr<PackedTensor> packed_;  // if defined, instead of value_
  std::shared_ptr<Node> node_;
  std::uint64_t version_ = 0;
  bool is_output_ = false;
};

}  // namespace gladius
