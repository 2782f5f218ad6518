#include "gladius/nn/embedding.h"

#include "gladius/autograd/ops/embedding.h"
#include "gladius/nn/init.h"

namespace gladius::nn {

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim)
    : weight(register_parameter("weight", {num_embeddings, embedding_dim},
                                ParameterRole::embedding)) {}

Variable Embedding::forward(const Tensor& ids) const { return embedding(weight, ids); }

void Embedding::reset_own_parameters(Generator& generator) {
  init::normal_(weight, 0, 1, generator);
}

}  // namespace gladius::nn
