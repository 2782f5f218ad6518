// Fits a straight line to five points.
#include <cstdio>

#include "gladius/gladius.h"

using namespace gladius;

int main() {
  const Variable x(Tensor::from({0, 1, 2, 3, 4}).reshape({5, 1}));
  const Tensor y = Tensor::from({1, 3, 5, 7, 9}).reshape({5, 1});

  nn::Linear line(/*in_features=*/1, /*out_features=*/1);
  line.reset_parameters();
  AdamW optimizer(line.named_parameters(), {.lr = 0.1, .weight_decay = 0});
  for (int step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    mse_loss(line.forward(x), y).backward();
    optimizer.step();
  }
  std::printf("y = %.2f x + %.2f\n", line.weight.item(), line.bias.item());
}
