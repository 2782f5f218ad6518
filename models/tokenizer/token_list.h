// Tokens on their way through the decoders.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gladius::text {

/// A list of strings in one buffer: text of a million tokens is no million allocations. Bytes
/// behind the last token's end are the beginning of a token that has not ended yet.
struct TokenList {
  std::string bytes;
  std::vector<std::size_t> ends;

  std::size_t size() const { return ends.size(); }
  std::string_view operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(begin, ends[i] - begin);
  }
  /// What was appended to `bytes` since the last token is a token.
  void end_token() { ends.push_back(bytes.size()); }
  void push_back(std::string_view token) {
    bytes += token;
    end_token();
  }
  void push_front(std::string_view token) {
    for (std::size_t& end : ends) end += token.size();
    ends.insert(ends.begin(), token.size());
    bytes.insert(0, token);
  }
  /// Takes the last token off; there is one, and nothing behind it.
  std::string pop_back() {
    const std::string token((*this)[size() - 1]);
    ends.pop_back();
    bytes.resize(bytes.size() - token.size());
    return token;
  }
  /// The token that has not ended.
  std::string_view open() const {
    return std::string_view(bytes).substr(ends.empty() ? 0 : ends.back());
  }
};

/// A decoder at work on one text: turns tokens into others, whose bytes are the text. Tokens may
/// come in parts, `last` with the last one; the text does not depend on the parts. It remembers
/// what it has seen: each text takes a copy.
using TokenDecoder = std::function<void(TokenList& tokens, bool last)>;

/// Appends `text` with every occurrence of `from` (not empty) replaced.
inline void append_replaced(std::string_view text, std::string_view from, std::string_view to,
                            std::string& out) {
  std::size_t pos = 0;
  for (std::size_t hit; (hit = text.find(from, pos)) != std::string_view::npos;) {
    out.append(text, pos, hit - pos).append(to);
    pos = hit + from.size();
  }
  out.append(text, pos);
}

}  // namespace gladius::text
