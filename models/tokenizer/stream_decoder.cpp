#include <algorithm>

#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius {

std::string StreamDecoder::push(std::int32_t id) {
  // What decode() passes over would only make the window longer.
  if (tokenizer_.id_to_token(id).empty() || (skip_special_ && tokenizer_.is_special(id))) return "";
  window_.push_back(id);
  const std::string text = tokenizer_.decode(window_, skip_special_);
  const bool incomplete = text.size() <= shown_.size() || text.ends_with(utf8::kReplacement);
  constexpr std::size_t kMostHeld = 8;
  if (incomplete && window_.size() - shown_ids_ < kMostHeld) return "";
  return take(text, utf8::kReplacement);
}

std::string StreamDecoder::flush() { return take(tokenizer_.decode(window_, skip_special_), ""); }

std::string StreamDecoder::take(std::string text, std::string_view held) {
  // Tokens may all end inside characters: all but the last character is decided.
  const auto decided = [held](std::string& all) {
    if (all.ends_with(held)) all.resize(all.size() - held.size());
  };
  decided(text);
  // Bytes that turn out to be invalid can change what was shown already; that stays.
  auto fresh_begin = std::ranges::mismatch(shown_, text).in2;
  while (fresh_begin != text.begin() && fresh_begin != text.end() &&
         (*fresh_begin & 0xC0) == 0x80) {
    --fresh_begin;
  }
  std::string fresh(fresh_begin, text.end());
  window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(shown_ids_));
  shown_ids_ = window_.size();
  shown_ = tokenizer_.decode(window_, skip_special_);
  decided(shown_);
  return fresh;
}

}  // namespace gladius
