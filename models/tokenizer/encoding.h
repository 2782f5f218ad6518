// What a tokenizer makes of a text.
#pragma once

#include <cstdint>
#include <vector>

namespace gladius::text {

/// Bytes [begin, end) of the source text.
struct ByteSpan {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  bool operator==(const ByteSpan&) const = default;
};

/// Token ids and the source bytes that each stands for. A token that holds a part of a character
/// (byte fallback, byte-level tokens) has the whole character's span; a special token that the
/// post-processor adds has {0, 0}.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<ByteSpan> spans;
};

}  // namespace gladius::text
