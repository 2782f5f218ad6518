// A small network learns to tell two interleaved half circles apart; its gradients are printed.
#include <cmath>
#include <cstdio>
#include <numbers>

#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/nn/linear.h"
#include "gladius/optim/adamw.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/random.h"
#include "gladius/tensor/reduce.h"

using namespace gladius;

// A module is a class with registered layers. Their parameters get the names "hidden.weight",
// "hidden.bias", "output.weight" and "output.bias".
class Classifier : public nn::Module {
 public:
  explicit Classifier(std::int64_t width)
      : hidden_(register_module("hidden", std::make_shared<nn::Linear>(2, width))),
        output_(register_module("output", std::make_shared<nn::Linear>(width, 2))) {}

  // points [N, 2] -> logits [N, 2], one for each moon
  Variable forward(const Variable& points) const {
    return output_->forward(tanh(hidden_->forward(points)));
  }

 private:
  std::shared_ptr<nn::Linear> hidden_, output_;
};

// A new module knows its shapes but has no values: they are loaded by name, here random ones.
void initialize(nn::Module& module, Generator& generator) {
  NamedTensors values;
  for (const auto& [name, parameter] : module.named_parameters()) {
    const Tensor value = Tensor::zeros(parameter.shape());
    if (parameter.dim() == 2) fill_normal_(value, generator, 0, 1);
    values.emplace_back(name, value);
  }
  module.load_state_dict(values);
  module.set_requires_grad(true);
}

struct Points {
  Tensor positions;  // F32 [N, 2]
  Tensor moons;      // I64 [N]: 0 or 1
};

Points two_moons(std::int64_t n, Generator& generator) {
  std::vector<float> positions;
  std::vector<std::int64_t> moons;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t moon = i % 2;
    const double angle = std::numbers::pi * (generator.uniform() + static_cast<double>(moon));
    const double x = std::cos(angle) + static_cast<double>(moon);
    const double y = std::sin(angle) + 0.5 * static_cast<double>(moon);
    positions.push_back(static_cast<float>(x + 0.1 * generator.normal()));
    positions.push_back(static_cast<float>(y + 0.1 * generator.normal()));
    moons.push_back(moon);
  }
  return {Tensor::from(positions, {n, 2}), Tensor::from(moons, {n})};
}

void print_gradients(const nn::Module& module) {
  std::printf("\n%-14s %8s %12s %12s\n", "gradient of", "shape", "norm", "largest");
  for (const auto& [name, parameter] : module.named_parameters()) {
    const Tensor gradient = parameter.grad();
    const double norm = std::sqrt(sum(mul(gradient, gradient)).item());
    std::printf("%-14s %8s %12.3e %12.3e\n", name.c_str(), to_string(parameter.shape()).c_str(),
                norm, amax(abs(gradient)).item());
  }
}

int main() {
  Generator generator(/*seed=*/1);
  const auto [positions, moons] = two_moons(400, generator);
  Classifier model(/*width=*/32);
  initialize(model, generator);
  AdamW optimizer(model.named_parameters(), {.lr = 0.02});

  double loss_now = 0;
  for (int step = 0; step <= 300; ++step) {
    optimizer.zero_grad();
    const Variable loss = cross_entropy(model.forward(Variable(positions)), moons);
    loss.backward();  // each parameter's grad() is now d(loss)/d(parameter)
    optimizer.step();
    loss_now = loss.item();
    if (step % 50 == 0) std::printf("step %3d  loss %.4f\n", step, loss_now);
  }
  print_gradients(model);
  return loss_now < 0.05 ? 0 : 1;  // so that a test can tell whether it has learned
}
