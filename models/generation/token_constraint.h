// What limits the tokens that may be generated.
#pragma once

#include <cstdint>
#include <span>

namespace gladius {

/// Which tokens may come next, for one text after the other; asked in this order for each token.
/// `left` is how many tokens may still come, the next one included. For one thread at a time.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  /// Whether the text is whole and nothing but an end token may follow: then generation ends.
  virtual bool is_finished(std::int64_t left) = 0;
  /// Makes the logits, [V], of tokens that must not come -infinity.
  virtual void mask(std::span<float> logits, std::int64_t left) = 0;
  /// This token, which may come, has come.
  virtual void advance(std::int32_t id) = 0;
};

}  // namespace gladius
