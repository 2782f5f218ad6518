#include "gladius/models/tokenizer/aligned_text.h"

#include <limits>

#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"

namespace gladius::text {

AlignedText AlignedText::from_source(std::string_view source, bool tracked) {
  if (source.size() >= std::numeric_limits<std::uint32_t>::max()) {
    throw Error("tokenizer: the text is over 4 GiB long; encode it in parts");
  }
  AlignedText text(tracked);
  const std::size_t invalid = utf8::find_invalid(source);
  if (!tracked) {
    text.bytes_ = invalid == std::string_view::npos ? std::string(source) : utf8::repair(source);
    return text;
  }
  text.reserve(source.size());
  for (std::size_t pos = 0, length; pos < source.size(); pos += length) {
    const bool valid = pos < invalid || utf8::valid_length(source, pos) > 0;
    length = valid ? utf8::char_length(source[pos]) : utf8::invalid_length(source, pos);
    text.append(valid ? source.substr(pos, length) : utf8::kReplacement,
                {static_cast<std::uint32_t>(pos), static_cast<std::uint32_t>(pos + length)});
  }
  return text;
}

void AlignedText::reserve(std::size_t size) {
  bytes_.reserve(size);
  if (tracked_) spans_.reserve(size);
}

void AlignedText::append(const AlignedText& text, std::size_t begin, std::size_t end) {
  bytes_.append(text.bytes_, begin, end - begin);
  if (tracked_) {
    spans_.insert(spans_.end(), text.spans_.begin() + static_cast<std::ptrdiff_t>(begin),
                  text.spans_.begin() + static_cast<std::ptrdiff_t>(end));
  }
}

void AlignedText::append(std::string_view text, ByteSpan span) {
  bytes_.append(text);
  if (tracked_) spans_.insert(spans_.end(), text.size(), span);
}

AlignedText AlignedText::slice(std::size_t begin, std::size_t end) const {
  AlignedText part(tracked_);
  part.append(*this, begin, end);
  return part;
}

}  // namespace gladius::text
