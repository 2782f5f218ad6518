// Whether operations record a graph; a setting of each thread.
#pragma once

namespace gladius {

/// True unless a NoGrad is in force.
bool grad_enabled();

/// Sets the mode for a scope and puts the old one back.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};

/// No graph is recorded in its scope, as under torch.no_grad().
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

/// A graph is recorded again within a NoGrad, as under torch.enable_grad().
struct EnableGrad : GradMode {
  EnableGrad() : GradMode(true) {}
};

}  // namespace gladius
