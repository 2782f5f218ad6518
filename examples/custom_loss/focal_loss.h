// A loss that gladius does not have, composed of its operations: autograd finds the gradient.
#pragma once

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/softmax.h"
#include "gladius/autograd/ops/views.h"

// The mean of -(1 - p)^gamma * log(p), where p is the probability of the row's label: cross-entropy
// in which rows that are classified well count less (Lin et al. 2017, arXiv:1708.02002). logits
// [N, V], labels I64 or I32 [N]; ShapeError for a label outside of [0, V).
inline gladius::Variable focal_loss(const gladius::Variable& logits, const gladius::Tensor& labels,
                                    double gamma) {
  const gladius::Variable log_p = gather(log_softmax(logits), /*dim=*/1, labels.unsqueeze(1));
  return -mean(pow(1 - exp(log_p), gamma) * log_p);
}
