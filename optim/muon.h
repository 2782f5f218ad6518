// Muon: momentum whose matrices are orthogonalised.
#pragma once

#include "gladius/optim/adamw.h"
#include "gladius/optim/optimizer.h"

namespace gladius {

struct MuonOptions {
  double lr = 1e-3;
  double weight_decay = 0.1;
  double momentum = 0.95;
};

/// The update of torch.optim.Muon with nesterov=True, adjust_lr_fn="match_rms_adamw", 5 steps of
/// Newton-Schulz and eps 1e-7, in the parameter's own type where PyTorch takes bfloat16 for the
/// Newton-Schulz steps (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; the scale
/// and the decay: Liu et al. 2025, arXiv:2502.16982). For a matrix W [A, B] with gradient G:
///
///     M <- momentum M + (1 - momentum) G
///     U  = momentum M + (1 - momentum) G
///     W <- (1 - lr weight_decay) W - lr 0.2 sqrt(max(A, B)) zeropower(U)
///
/// The scale gives an update the root mean square of AdamW's, so that one learning rate serves
/// both. Only for matrices, F32 and F64. The state: `momentum_buffer`.
class MuonRule : public UpdateRule {
 public:
  /// ConfigError for options outside of their ranges.
  explicit MuonRule(const MuonOptions& options);

  const char* name() const override { return "muon"; }
  double lr() const override { return options_.lr; }
  std::vector<std::string> state_names() const override { return {"momentum_buffer"}; }
  /// ShapeError for what is no matrix.
  void check_shape(const std::string& parameter, const Shape& shape) const override;
  std::int64_t workspace(const Shape& shape) const override;
  void update(const Tensor& value, const Tensor& grad, const ParameterState& state, double lr,
              double grad_scale) const override;

 private:
  MuonOptions options_;
};

/// The matrix [A, B] with its singular values brought near 1 (about 0.7 to 1.2): 5 steps of
/// X <- 3.4445 X - 4.7750 X X^T X + 2.0315 (X X^T)^2 X from X / max(|X|, 1e-7). F32 and F64.
Tensor zeropower_via_newtonschulz(const Tensor& x);

/// Matrices with options of their own.
struct MuonGroup {
  NamedVariables parameters;
  MuonOptions options = {};
};

/// Muon of matrices, and AdamW of the rest (embeddings, the head, norms, biases).
class Muon : public Optimizer {
 public:
  /// ConfigError and ShapeError as the rules, and as Optimizer.
  explicit Muon(std::vector<MuonGroup> matrices, std::vector<AdamWGroup> rest = {});
};

}  // namespace gladius
