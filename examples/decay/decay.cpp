// Fits y = a * exp(-b * t) to measurements by gradient descent, with autograd alone.
#include <cmath>
#include <cstdio>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/autograd/variable.h"
#include "gladius/tensor/elementwise.h"

using namespace gladius;

// As an optimizer's step() and zero_grad() do; tensors know nothing of the graph.
void descend(Variable& parameter, double lr) {
  Tensor value = parameter.value();  // a handle to the same elements
  add_(value, parameter.grad(), -lr);
  parameter.zero_grad();
}

int main() {
  const Variable t(Tensor::from({0, 1, 2, 3, 4, 5}));
  const Variable y(Tensor::from({3.0, 1.82, 1.10, 0.67, 0.41, 0.25}));  // 3 * exp(-t / 2)
  Variable a(Tensor::scalar(1), /*requires_grad=*/true);
  Variable b(Tensor::scalar(1), /*requires_grad=*/true);

  for (int step = 0; step <= 400; ++step) {
    const Variable loss = mse_loss(a * exp(-b * t), y);
    loss.backward();  // a.grad() and b.grad() are now d(loss)/da and d(loss)/db
    if (step % 100 == 0) {
      std::printf("step %3d  loss %.6f  a %.3f  b %.3f\n", step, loss.item(), a.item(), b.item());
    }
    descend(a, 0.1);
    descend(b, 0.1);
  }
  const bool found = std::abs(a.item() - 3) < 0.02 && std::abs(b.item() - 0.5) < 0.01;
  return found ? 0 : 1;  // so that a test can tell
}
