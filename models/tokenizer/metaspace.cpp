#include "gladius/models/tokenizer/metaspace.h"

#include <utility>

#include "gladius/models/tokenizer/json_fields.h"

namespace gladius::text {
namespace {

bool begins_source(const Words& words, std::size_t index) {
  const std::size_t begin = words.ranges[index].begin;
  if (words.text.tracked()) return words.text.span(begin, begin + 1).begin == 0;
  return words.at_start && begin == 0;
}

}  // namespace

using tokenizer_json::field_or;

Metaspace::Metaspace(const nlohmann::json& component, const std::string& role)
    : replacement_(tokenizer_json::character(component, "replacement", role)),
      split_(field_or(component, "split", role, true)) {
  // Files written before prepend_scheme existed say add_prefix_space.
  const bool prefix = field_or(component, "add_prefix_space", role, true);
  const auto scheme =
      field_or<std::string>(component, "prepend_scheme", role, prefix ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    tokenizer_json::refuse(role + " prepend_scheme", scheme);
  }
  prepend_ = scheme == "always"  ? Prepend::kAlways
             : scheme == "first" ? Prepend::kFirst
                                 : Prepend::kNever;
}

bool Metaspace::prepends(const Words& words, std::size_t index) const {
  if (prepend_ == Prepend::kNever) return false;
  if (prepend_ == Prepend::kFirst && !begins_source(words, index)) return false;
  const std::string_view text = words.text.bytes();
  const std::string_view word = text.substr(words.ranges[index].begin);
  return !word.starts_with(' ') && !word.starts_with(replacement_);
}

Words Metaspace::pre_tokenize(Words words) const {
  Words out{AlignedText(words.text.tracked()), {}, words.at_start};
  out.text.reserve(words.text.size() + words.text.size() / 4);
  const std::string& bytes = words.text.bytes();
  for (std::size_t i = 0; i < words.ranges.size(); ++i) {
    const auto [begin, end] = words.ranges[i];
    std::size_t start = out.text.size();
    const auto cut = [&] {
      if (out.text.size() > start) out.ranges.push_back({start, out.text.size()});
      start = out.text.size();
    };
    if (prepends(words, i)) out.text.append(replacement_, words.text.span(begin, begin + 1));
    for (std::size_t pos = begin, copied = begin; pos < end;) {
      const bool space = bytes[pos] == ' ';
      const bool mark = space || bytes.compare(pos, replacement_.size(), replacement_) == 0;
      pos += space ? 1 : mark ? replacement_.size() : 1;
      if (mark || pos == end) {
        const std::size_t upto = mark ? pos - (space ? 1 : replacement_.size()) : pos;
        out.text.append(words.text, copied, upto);
        if (mark && split_) cut();
        if (mark) out.text.append(replacement_, words.text.span(upto, pos));
        copied = pos;
      }
    }
    cut();
  }
  return out;
}

void Metaspace::decode(TokenList& tokens, bool at_start) const {
  TokenList out;
  out.bytes.reserve(tokens.bytes.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool first = at_start && i == 0;
    append_replaced(tokens[i], replacement_, first && prepend_ != Prepend::kNever ? "" : " ",
                    out.bytes);
    out.end_token();
  }
  tokens = std::move(out);
}

}  // namespace gladius::text
