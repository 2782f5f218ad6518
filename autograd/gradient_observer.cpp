#include "gladius/autograd/gradient_observer.h"

#include <utility>

namespace gladius {
namespace {

thread_local const GradientObserver* current_observer = nullptr;

}  // namespace

GradientObserver::GradientObserver(Complete complete) : complete_(std::move(complete)) {
  current_observer = this;
}

GradientObserver::~GradientObserver() { current_observer = nullptr; }

const GradientObserver* GradientObserver::current() { return current_observer; }

}  // namespace gladius
