#include "gladius/autograd/grad_mode.h"

namespace gladius {
namespace {
thread_local bool enabled = true;
}  // namespace

bool grad_enabled() { return enabled; }

GradMode::GradMode(bool wanted) : previous_(enabled) { enabled = wanted; }
GradMode::~GradMode() { enabled = previous_; }

}  // namespace gladius
