#include "gladius/train/loop/ranks.h"

#include <algorithm>
#include <functional>
#include <span>

#include "gladius/train/cluster/ordered_sum.h"

namespace gladius::train {
namespace {

constexpr std::int64_t kBucket = std::int64_t{4} << 20;  // elements: 16 MB

// Calls visit(tensor, from, count, at) for what elements begin .. end - 1 of all tensors, one after
// the other, consist of: `count` elements of a tensor from `from` on, the first of which is element
// `at` of the range.
template <class Visit>
void for_pieces(const std::vector<Tensor>& tensors, std::int64_t begin, std::int64_t end,
                const Visit& visit) {
  std::int64_t before = 0;
  for (const Tensor& tensor : tensors) {
    const std::int64_t from = std::max(begin, before), to = std::min(end, before + tensor.numel());
    if (from < to) visit(tensor, from - before, to - from, from - begin);
    before += tensor.numel();
    if (before >= end) return;
  }
}

}  // namespace

// Counts the time that it lives.
class Ranks::Waiting {
 public:
  explicit Waiting(double& seconds) : seconds_(seconds) {}
  ~Waiting() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void Ranks::announce(bool group) {
  cluster::broadcast_text(communicator_, group ? "group" : "end");
}

bool Ranks::hear() { return cluster::broadcast_text(communicator_, "") == "group"; }

std::vector<double> Ranks::sum(std::vector<double> values) {
  const Waiting waiting(waited_s_);
  return cluster::sum_of(communicator_, std::move(values));
}

std::vector<double> Ranks::of_rank_0(std::vector<double> values) {
  const Waiting waiting(waited_s_);
  cluster::broadcast(communicator_, std::as_writable_bytes(std::span(values)));
  return values;
}

void Ranks::sum_gradients(const NamedVariables& parameters) {
  std::vector<double> present;
  std::vector<Tensor> gradients;
  std::int64_t elements = 0;
  for (const auto& [name, parameter] : parameters) {
    Tensor gradient = parameter.grad();
    present.push_back(gradient.defined() ? 1 : 0);
    gradient = gradient.defined() ? gradient.contiguous()
                                  : Tensor::zeros(parameter.shape(), parameter.dtype());
    elements += gradient.numel();
    gradients.push_back(std::move(gradient));
  }
  present = sum(std::move(present));
  for (std::int64_t begin = 0; begin < elements; begin += kBucket) {
    sum_bucket(gradients, begin, std::min(begin + kBucket, elements));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Variable parameter = parameters[i].second;
    if (present[i] > 0) parameter.set_grad(gradients[i]);
  }
}

void Ranks::sum_bucket(const std::vector<Tensor>& gradients, std::int64_t begin, std::int64_t end) {
  bucket_.resize(static_cast<std::size_t>(end - begin));
  for_pieces(gradients, begin, end,
             [&](const Tensor& tensor, std::int64_t from, std::int64_t count, std::int64_t at) {
               std::copy_n(tensor.data<float>() + from, count, bucket_.begin() + at);
             });
  {
    const Waiting waiting(waited_s_);
    cluster::all_reduce(communicator_, bucket_);
  }
  for_pieces(gradients, begin, end,
             [&](const Tensor& tensor, std::int64_t from, std::int64_t count, std::int64_t at) {
               Tensor target = tensor;
               std::copy_n(bucket_.begin() + at, count, target.data<float>() + from);
             });
}

void Ranks::broadcast(const std::vector<Tensor>& tensors) {
  for (Tensor tensor : tensors) {
    cluster::broadcast(communicator_,
                       {static_cast<std::byte*>(tensor.raw_data()), tensor.nbytes()});
  }
}

}  // namespace gladius::train
