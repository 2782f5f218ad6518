// Who is told that a gradient is complete while the backward pass still goes on.
#pragma once

#include <functional>

namespace gladius {

class Node;

/// While it lives, backward passes of this thread that accumulate in the leaves tell it of each
/// leaf once its gradient has all that the pass adds to it; so that it can be sent to other
/// machines meanwhile. One at a time in a thread.
class GradientObserver {
 public:
  using Complete = std::function<void(const Node* leaf)>;

  explicit GradientObserver(Complete complete);
  ~GradientObserver();
  GradientObserver(const GradientObserver&) = delete;
  GradientObserver& operator=(const GradientObserver&) = delete;

  /// This thread's; null: there is none.
  static const GradientObserver* current();
  void tell(const Node* leaf) const { complete_(leaf); }

 private:
  Complete complete_;
};

}  // namespace gladius
