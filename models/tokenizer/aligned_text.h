// Text that knows from which bytes of the source each of its bytes stems.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/tokenizer/encoding.h"

namespace gladius::text {

/// Text on its way through the normalizers and pre-tokenizers. Where nobody asks for offsets,
/// `spans` stays empty and costs nothing.
class AlignedText {
 public:
  explicit AlignedText(bool tracked) : tracked_(tracked) {}

  /// The source text itself: a character stems from its bytes, U+FFFD from the invalid bytes that
  /// it stands for (as Python's errors="replace" and Rust's from_utf8_lossy). Error from 4 GiB.
  static AlignedText from_source(std::string_view source, bool tracked);

  const std::string& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool tracked() const { return tracked_; }

  /// Source bytes of [begin, end); {0, 0} for an empty range or when not tracked.
  ByteSpan span(std::size_t begin, std::size_t end) const {
    if (!tracked_ || begin >= end) return {0, 0};
    return {spans_[begin].begin, spans_[end - 1].end};
  }

  void reserve(std::size_t size);
  /// Appends [begin, end) of `text`, which is tracked as this one is.
  void append(const AlignedText& text, std::size_t begin, std::size_t end);
  /// Appends `text`, all of which stems from `span`.
  void append(std::string_view text, ByteSpan span);

  AlignedText slice(std::size_t begin, std::size_t end) const;

 private:
  std::string bytes_;
  std::vector<ByteSpan> spans_;  // one a byte
  bool tracked_;
};

}  // namespace gladius::text
