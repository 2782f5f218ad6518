// A table of vectors.
#pragma once

#include "gladius/nn/module.h"

namespace gladius::nn {

/// ids (I64 or I32 [...]) -> rows of `weight` [V, C], [..., C].
class Embedding : public Module {
 public:
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim);
  Variable forward(const Tensor& ids) const;

  Variable weight;

 protected:
  void reset_own_parameters(Generator& generator) override;
};

}  // namespace gladius::nn
