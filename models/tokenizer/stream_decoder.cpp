#include <algorithm>

#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius {

std::string StreamDecoder::push(std::int32_t id) {
  // A character has four bytes; what is not complete after more tokens never will be.
  constexpr std::size_t kMostHeld = 8;
  window_.push_back(id);
  const std::string text = tokenizer_.decode(window_, skip_special_);
  const bool incomplete =
      text.ends_with(utf8::kReplacement) && window_.size() - shown_ids_ < kMostHeld;
  if (text.size() <= shown_.size() || incomplete) return "";
  return take(text);
}

std::string StreamDecoder::flush() { return take(tokenizer_.decode(window_, skip_special_)); }

std::string StreamDecoder::take(const std::string& text) {
  const auto differs = std::mismatch(shown_.begin(), shown_.end(), text.begin(), text.end());
  std::string fresh(differs.second, text.end());
  window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(shown_ids_));
  shown_ids_ = window_.size();
  shown_ = tokenizer_.decode(window_, skip_special_);
  return fresh;
}

}  // namespace gladius
