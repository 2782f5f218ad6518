// What the families' files need of the decoder to link. Here config.json is read and no model made.
#include <cstdlib>

#include "gladius/models/architectures/decoder.h"

namespace gladius {

DecoderLayerSizes DecoderLayerSizes::of(const ModelConfig&) { std::abort(); }
std::unique_ptr<LanguageModel> make_decoder(const ModelConfig&, const DecoderLayerSizes&) {
  std::abort();
}

}  // namespace gladius
