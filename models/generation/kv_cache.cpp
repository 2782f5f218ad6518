#include "gladius/models/generation/kv_cache.h"

#include <algorithm>

namespace gladius {
namespace {

Tensor grown(const Tensor& old, std::int64_t length, std::int64_t capacity) {
  Shape shape = old.shape();
  shape.at(1) = capacity;
  const Tensor larger = Tensor::empty(shape, old.dtype());
  larger.narrow(1, 0, length).copy_(old.narrow(1, 0, length));
  return larger;
}

}  // namespace

void KvCache::reserve(std::int64_t wanted) {
  if (wanted <= capacity()) return;
  const std::int64_t room = std::max(wanted, 2 * capacity());
  for (nn::LayerCache& layer : layers) {
    layer.k = grown(layer.k, layer.length, room);
    layer.v = grown(layer.v, layer.length, room);
  }
}

void KvCache::truncate(std::int64_t length) {
  for (nn::LayerCache& layer : layers) layer.length = std::min(layer.length, length);
}

}  // namespace gladius
