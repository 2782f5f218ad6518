#include "support/operands.h"

#include <fmt/format.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/random.h"

namespace gladius::bench {

OperandRing::OperandRing(double standard_deviation) : memory_(Tensor::zeros({kSize})) {
  if (standard_deviation == 0) return;
  constexpr std::int64_t block = std::int64_t{1} << 20;  // is repeated: drawing all takes a second
  Generator generator(1);
  const Tensor drawn = Tensor::empty({block});
  fill_normal_(drawn, generator, 0, standard_deviation);
  memory_.view({kSize / block, block}).copy_(drawn);
}

std::int64_t OperandRing::advance(std::int64_t n) {
  if (n > kSize) throw Error(fmt::format("an operand of {} elements; expected {}", n, kSize));
  if (position_ + n > kSize) position_ = 0;
  constexpr std::int64_t line = 16;
  const std::int64_t start = position_;
  position_ = (position_ + n + line - 1) / line * line;
  return start;
}

Tensor OperandRing::tensor(const Shape& shape) {
  const std::int64_t n = numel(shape);
  return memory_.narrow(0, advance(n), n).view(shape);
}

OperandRing& activations() {
  static OperandRing ring(1);
  return ring;
}

OperandRing& weights() {
  static OperandRing ring(0.02);
  return ring;
}

ResultRing& results() {
  static ResultRing ring;
  return ring;
}

Tensor random_ids(std::int64_t T) {
  Generator generator(2);
  std::vector<std::int64_t> ids;
  for (std::int64_t t = 0; t < T; ++t) ids.push_back(generator.randint(0, V));
  return Tensor::from(ids, {T});
}

Tensor TokenBatches::next() {
  position_ = (position_ + T_) % V;
  return ids_.narrow(0, position_, T_);
}

}  // namespace gladius::bench
