// Random options of a distillation loss.
#pragma once

#include <algorithm>
#include <vector>

#include "gladius/autograd/ops/losses.h"
#include "support/random.h"

namespace gladius::testing {

struct RandomDistillation {
  DistillationOptions options;
  std::int64_t width;  // of the teacher's rows

  /// Of N rows.
  RandomDistillation(Rng& rng, std::int64_t N, std::int64_t V) : width(V) {
    options.temperature = std::vector<double>{1, 2, 4, 3, 0.7}[random_int(rng, 0, 4)];
    options.alpha = std::vector<double>{0, 0.3, 1}[random_int(rng, 0, 2)];
    options.reduction = random_int(rng, 0, 1) ? LossReduction::mean : LossReduction::batchmean;
    options.sequences = random_int(rng, 1, 3);
    options.divergence =
        std::vector{Divergence::forward_kl, Divergence::reverse_kl, Divergence::jsd,
                    Divergence::skew_kl}[static_cast<std::size_t>(random_int(rng, 0, 3))];
    options.beta = std::vector<double>{0.5, 0.1, 0.93}[random_int(rng, 0, 2)];
    options.labelled_only = random_int(rng, 0, 2) == 0;
    if (random_int(rng, 0, 2) == 0) {
      std::vector<double> mask;
      while (std::ssize(mask) < N) mask.push_back(static_cast<double>(random_int(rng, 0, 1)));
      options.compared = Tensor::from(mask, {N}).to(Dtype::BOOL);
    }
    if (random_int(rng, 0, 2) == 0) {
      options.divisors = {random_int(rng, 1, 9), random_int(rng, 0, 9)};
    }
    if (random_int(rng, 0, 1)) {
      width = random_int(rng, 1, V + 3);
      options.vocabulary = random_int(rng, 1, std::min(V, width));
    }
  }
};

}  // namespace gladius::testing
