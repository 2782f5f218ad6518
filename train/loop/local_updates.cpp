#include "gladius/train/loop/local_updates.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gladius/tensor/base/error.h"
#include "gladius/train/cluster/ordered_sum.h"

namespace gladius::train {
namespace {

constexpr std::string_view kMomentum = ".outer_momentum";

std::vector<std::int64_t> numbers_of_elements(const std::vector<Tensor>& tensors) {
  std::vector<std::int64_t> numbers;
  for (const Tensor& tensor : tensors) numbers.push_back(tensor.numel());
  return numbers;
}

}  // namespace

LocalUpdates::LocalUpdates(Ranks& ranks, NamedVariables parameters, Options options)
    : ranks_(ranks),
      parameters_(std::move(parameters)),
      options_(options),
      buckets_(numbers_of_elements(values()), options.bucket),
      momentum_(static_cast<std::size_t>(buckets_.elements())) {
  if (options_.compress) residual_.resize(momentum_.size());
  agree();
}

std::vector<Tensor> LocalUpdates::values() const {
  std::vector<Tensor> values;
  for (const auto& [name, parameter] : parameters_) values.push_back(parameter.value());
  return values;
}

void LocalUpdates::agree() {
  agreed_.clear();
  for (const Tensor& value : values()) {
    const Tensor dense = value.contiguous();
    agreed_.insert(agreed_.end(), dense.data<float>(), dense.data<float>() + dense.numel());
  }
}

void LocalUpdates::synchronise(Optimizer& optimizer) {
  has_momentum_ = true;
  average_weights();
  average_states(optimizer);
}

void LocalUpdates::average(std::vector<float>& bucket, std::span<float> residual) {
  cluster::Communicator& communicator = ranks_.communicator();
  if (options_.compress) {
    cluster::reduce_scatter_compressed(communicator, bucket, residual);
    cluster::all_gather_compressed(communicator, bucket, residual);
  } else {
    cluster::all_reduce(communicator, bucket);
  }
  const float share = 1 / static_cast<float>(ranks_.size());
  for (float& value : bucket) value *= share;
}

void LocalUpdates::average_weights() {
  std::vector<Tensor> weights = values();
  for (Tensor& weight : weights) weight.mark_written("synchronise");
  const auto lr = static_cast<float>(options_.lr), rate = static_cast<float>(options_.momentum);
  std::vector<float> bucket;
  for (std::size_t b = 0; b < buckets_.count(); ++b) {
    buckets_.load(weights, b, bucket);
    const auto begin = static_cast<std::size_t>(buckets_.begin(b));
    const std::span<float> agreed = std::span(agreed_).subspan(begin, bucket.size());
    const std::span<float> momentum = std::span(momentum_).subspan(begin, bucket.size());
    for (std::size_t i = 0; i < bucket.size(); ++i) bucket[i] -= agreed[i];
    average(bucket, options_.compress ? std::span(residual_).subspan(begin, bucket.size())
                                      : std::span<float>());
    for (std::size_t i = 0; i < bucket.size(); ++i) {
      momentum[i] = rate * momentum[i] + bucket[i];
      agreed[i] += lr * (bucket[i] + rate * momentum[i]);
      bucket[i] = agreed[i];
    }
    buckets_.store(bucket, b, weights);
  }
}

// How often a parameter was updated is as on rank 0, which has a micro-batch of every group.
void LocalUpdates::average_states(Optimizer& optimizer) {
  const auto states = optimizer.states();
  std::vector<Tensor> tensors;
  std::vector<double> steps;
  for (const ParameterState& state : states) {
    tensors.insert(tensors.end(), state.tensors.begin(), state.tensors.end());
    steps.push_back(static_cast<double>(state.steps));
  }
  steps = ranks_.of_rank_0(std::move(steps));
  for (std::size_t i = 0; i < states.size(); ++i) {
    states[i].get().steps = static_cast<std::int64_t>(steps[i]);
  }
  // Rounded without feedback: a mean of squares must not become negative.
  const TensorBuckets buckets(numbers_of_elements(tensors), options_.bucket);
  std::vector<float> bucket, nothing_left;
  for (std::size_t b = 0; b < buckets.count(); ++b) {
    buckets.load(tensors, b, bucket);
    nothing_left.assign(options_.compress ? bucket.size() : 0, 0);
    average(bucket, nothing_left);
    buckets.store(bucket, b, tensors);
  }
}

NamedTensors LocalUpdates::state_dict() const {
  NamedTensors state;
  for (std::size_t i = 0; i < parameters_.size() && has_momentum_; ++i) {
    const auto& [name, parameter] = parameters_[i];
    const auto begin = momentum_.begin() + buckets_.tensor_begin(i);
    state.emplace_back(
        name + std::string(kMomentum),
        Tensor::from(std::vector<float>(begin, begin + parameter.numel()), parameter.shape()));
  }
  return state;
}

void LocalUpdates::load_state_dict(const NamedTensors& state) {
  const std::unordered_map<std::string, Tensor> tensors(state.begin(), state.end());
  has_momentum_ = !tensors.empty();
  std::ranges::fill(momentum_, 0);
  for (std::size_t i = 0; i < parameters_.size() && has_momentum_; ++i) {
    const auto& [name, parameter] = parameters_[i];
    const auto found = tensors.find(name + std::string(kMomentum));
    if (found == tensors.end()) {
      throw FormatError(fmt::format("optimizer: state {}{} is missing", name, kMomentum));
    }
    const Tensor& momentum = found->second;
    if (momentum.shape() != parameter.shape() || momentum.dtype() != Dtype::F32) {
      throw FormatError(
          fmt::format("optimizer: state {}{} is {}", name, kMomentum, momentum.describe()));
    }
    const Tensor dense = momentum.contiguous();
    std::copy_n(dense.data<float>(), dense.numel(), momentum_.begin() + buckets_.tensor_begin(i));
  }
  if (tensors.size() > parameters_.size()) {
    throw FormatError("optimizer: an outer momentum belongs to no parameter");
  }
  std::ranges::fill(residual_, 0);
  agree();
}

std::pair<NamedTensors, NamedTensors> LocalUpdates::split(const NamedTensors& state) {
  std::pair<NamedTensors, NamedTensors> parts;
  for (const auto& [name, tensor] : state) {
    (name.ends_with(kMomentum) ? parts.second : parts.first).emplace_back(name, tensor);
  }
  return parts;
}

}  // namespace gladius::train
