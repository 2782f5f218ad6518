#include "gladius/train/run/precision_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>
#include <vector>

#include "gladius/tensor/matmul.h"

namespace gladius::train {
namespace {

double seconds_of(Precision precision, Tensor& out, const Tensor& x, const Tensor& weight) {
  const PrecisionScope scope(precision);
  const auto start = std::chrono::steady_clock::now();
  matmul_into(out, x, weight);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double bf16_speedup() {
  if (!has_bf16_products()) return 0;
  constexpr int kRounds = 7;
  const Tensor x = Tensor::ones({256, 768}), weight = Tensor::ones({2048, 768}).transpose(0, 1);
  Tensor out = Tensor::empty({256, 2048}, Dtype::F32);
  std::vector<double> ratios;
  // Of neighbours in time, as what else the machine does changes; the first warms up.
  for (int round = 0; round <= kRounds; ++round) {
    const double f32 = seconds_of(Precision::f32, out, x, weight);
    const double ratio = f32 / seconds_of(Precision::bf16, out, x, weight);
    if (round > 0) ratios.push_back(ratio);
  }
  std::ranges::nth_element(ratios, ratios.begin() + kRounds / 2);
  return ratios[kRounds / 2];
}

PrecisionChoice settle_precision(PrecisionChoice choice, const Tell& info, const Tell& warn) {
  if (choice == PrecisionChoice::automatic) {
    const double speedup = bf16_speedup();
    choice = speedup >= kWorthBf16 ? PrecisionChoice::bf16 : PrecisionChoice::f32;
    info(speedup == 0 ? "precision auto: f32, as this processor has no bf16 products"
                      : fmt::format("precision auto: {}, as bf16 products are {:.2f} times as fast",
                                    name_of(choice), speedup));
  }
  if (choice == PrecisionChoice::bf16 && !has_bf16_products()) {
    warn("precision bf16: this processor has no bf16 products, so f32 would be faster");
  }
  return choice;
}

Precision precision_of(PrecisionChoice settled) {
  switch (settled) {
    case PrecisionChoice::f32:
      return Precision::f32;
    case PrecisionChoice::bf16:
      return Precision::bf16;
    case PrecisionChoice::automatic:
      break;
  }
  throw std::logic_error("precision_of: the choice is still open");
}

}  // namespace gladius::train
