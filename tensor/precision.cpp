#include "gladius/tensor/precision.h"

namespace gladius {
namespace {

thread_local Precision in_force = Precision::f32;

}  // namespace

Precision product_precision() { return in_force; }

PrecisionScope::PrecisionScope(Precision precision) : previous_(in_force) { in_force = precision; }

PrecisionScope::~PrecisionScope() { in_force = previous_; }

}  // namespace gladius
