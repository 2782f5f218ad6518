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

  RandomDistillation(Rng& rng, std::int64_t V) : width(V) {
    options.temperature = std::vector<double>{1, 2, 4, 3, 0.7}[random_int(rng, 0, 4)];
    options.alpha = std::vector<double>{0, 0.3, 1}[random_int(rng, 0, 2)];
    options.reduction = random_int(rng, 0, 1) ? LossReduction::mean : LossReduction::batchmean;
    options.sequences = random_int(rng, 1, 3);
    if (random_int(rng, 0, 1)) {
      width = random_int(rng, 1, V + 3);
      options.vocabulary = random_int(rng, 1, std::min(V, width));
    }
  }
};

}  // namespace gladius::testing
