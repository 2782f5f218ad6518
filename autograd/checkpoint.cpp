#include "gladius/autograd/checkpoint.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/saved_variable.h"
#include "gladius/tensor/precision.h"
#include "gladius/tensor/random.h"

namespace gladius {
namespace {

using Function = std::function<Variable(const std::vector<Variable>&)>;

class Region;

// The place of one saved value, empty until the region's function has run again. The operation
// that saved it owns the slot and with it the value; all slots together own the region.
class Slot : public PackedTensor {
 public:
  Slot(std::shared_ptr<Region> region, const Tensor& value)
      : region_(std::move(region)), shape_(value.shape()), dtype_(value.dtype()) {}

  const Tensor& unpack() override;
  void fill(const Tensor& value) {
    if (value.shape() != shape_ || value.dtype() != dtype_) {
      throw GraphError(fmt::format(
          "checkpoint: the function saved {} where it had saved {} {}; it must do the same "
          "each time",
          value.describe(), dtype_name(dtype_), to_string(shape_)));
    }
    value_ = value;
  }

 private:
  std::shared_ptr<Region> region_;
  Shape shape_;
  Dtype dtype_;
  Tensor value_;
};

// One call of checkpoint().
class Region : public std::enable_shared_from_this<Region> {
 public:
  Region(Function function, const std::vector<Variable>& inputs)
      : function_(std::move(function)),
        precision_(product_precision()),
        generator_(default_generator().state()) {
    for (const Variable& input : inputs) inputs_.emplace_back(input);
  }

  Variable run(const std::vector<Variable>& inputs) {
    Recorder recorder(*this);
    const SavedTensorScope scope(recorder);
    return function_(inputs);
  }

  void run_again() {
    std::vector<Variable> inputs;
    for (const SavedVariable& input : inputs_) inputs.push_back(input.unpack("checkpoint"));
    const Generator::State later = default_generator().state();
    default_generator().set_state(generator_);
    Filler filler(*this);
    {
      const EnableGrad enable;
      const PrecisionScope precision(precision_);
      const SavedTensorScope scope(filler);
      function_(inputs);
    }
    default_generator().set_state(later);
    filler.check_all_filled();
  }

 private:
  // The first run: a slot for each value but those of parameters.
  struct Recorder : SavedTensorHooks {
    explicit Recorder(Region& of) : region(of) {}
    std::shared_ptr<PackedTensor> pack(const Tensor& value, bool is_leaf) override {
      auto slot = is_leaf ? nullptr : std::make_shared<Slot>(region.shared_from_this(), value);
      region.slots_.push_back(slot);
      return slot;
    }
    Region& region;
  };

  // The second run: its values in the same order go to the slots that are still there. Its own
  // graph keeps the same tensors and goes with its result.
  struct Filler : SavedTensorHooks {
    explicit Filler(Region& of) : region(of) {}
    std::shared_ptr<PackedTensor> pack(const Tensor& value, bool) override {
      if (next == region.slots_.size()) refuse(next + 1);
      if (const auto slot = region.slots_[next++].lock()) slot->fill(value);
      return nullptr;
    }
    void check_all_filled() const {
      if (next != region.slots_.size()) refuse(next);
    }
    void refuse(std::size_t count) const {
      throw GraphError(
          fmt::format("checkpoint: the function saved {} values or more in its second run and {} "
                      "in its first; it must do the same each time",
                      count, region.slots_.size()));
    }
    Region& region;
    std::size_t next = 0;
  };

  Function function_;
  Precision precision_;
  Generator::State generator_;
  std::vector<SavedVariable> inputs_;
  std::vector<std::weak_ptr<Slot>> slots_;
};

const Tensor& Slot::unpack() {
  if (!value_.defined()) region_->run_again();
  return value_;
}

}  // namespace

Variable checkpoint(Function function, const std::vector<Variable>& inputs) {
  if (!grad_enabled()) return function(inputs);
  return std::make_shared<Region>(std::move(function), inputs)->run(inputs);
}

}  // namespace gladius
