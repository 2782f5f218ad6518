#include "gladius/models/tokenizer/token_places.h"

#include <algorithm>
#include <string>

namespace gladius::text {
namespace {

// Tokens [first, last) whose spans overlap, and the bytes that they stand for together.
struct Group {
  std::size_t first, last;
  std::int64_t begin, end;
};

void place_group(const Group& group, const Encoding& encoding, std::string_view text,
                 const TokenBytes& bytes, std::vector<TokenPlace>& places) {
  std::vector<std::string> parts;
  std::string whole;
  for (std::size_t i = group.first; i < group.last; ++i) {
    parts.push_back(bytes[encoding.ids[i]].value_or(""));
    whole += parts.back();
  }
  const std::string_view source = text.substr(static_cast<std::size_t>(group.begin),
                                              static_cast<std::size_t>(group.end - group.begin));
  // A space that the text does not have, in front of it.
  const bool prefixed = whole.size() == source.size() + 1 && whole.front() == ' ' &&
                        std::string_view(whole).substr(1) == source;
  std::int64_t at = group.begin - (prefixed ? 1 : 0);
  for (std::size_t i = group.first; i < group.last; ++i) {
    if (!prefixed && whole != source) {
      places.push_back({encoding.spans[i].begin, encoding.spans[i].end, false});
      continue;
    }
    const std::int64_t end = at + std::ssize(parts[i - group.first]);
    places.push_back({std::max(at, group.begin), end, at >= group.begin});
    at = end;
  }
}

}  // namespace

std::vector<TokenPlace> token_places(const Encoding& encoding, std::string_view text,
                                     const TokenBytes& bytes) {
  std::vector<TokenPlace> places;
  for (std::size_t i = 0; i < encoding.ids.size();) {
    Group group{i, i + 1, encoding.spans[i].begin, encoding.spans[i].end};
    if (group.begin == group.end) {
      places.push_back({group.begin, group.end, false});
      ++i;
      continue;
    }
    while (group.last < encoding.ids.size()) {
      const ByteSpan span = encoding.spans[group.last];
      if (span.begin == span.end || span.begin >= group.end) break;
      group.end = std::max<std::int64_t>(group.end, span.end);
      ++group.last;
    }
    place_group(group, encoding, text, bytes, places);
    i = group.last;
  }
  return places;
}

SpelledText spell(const std::vector<std::int32_t>& ids, const TokenBytes& bytes) {
  SpelledText spelled;
  for (const std::int32_t id : ids) {
    const std::int64_t begin = std::ssize(spelled.text);
    const bool has_text = !bytes.tokenizer().is_special(id);
    if (has_text) spelled.text += bytes[id].value_or("");
    const std::int64_t end = std::ssize(spelled.text);
    spelled.places.push_back({begin, end, end > begin});
  }
  return spelled;
}

SpelledText without_added_space(SpelledText spelled, const std::vector<std::int32_t>& ids,
                                const TokenBytes& bytes) {
  const auto first = std::ranges::find_if(spelled.places, &TokenPlace::exact);
  if (first == spelled.places.end()) return spelled;
  const auto start = bytes.at_start(ids[static_cast<std::size_t>(first - spelled.places.begin())]);
  const std::int64_t added = first->end - first->begin - std::ssize(start.value_or(""));
  spelled.text.erase(0, static_cast<std::size_t>(added));
  for (TokenPlace& place : spelled.places) {
    place = {.begin = std::max<std::int64_t>(place.begin - added, 0),
             .end = std::max<std::int64_t>(place.end - added, 0),
             .exact = place.exact && place.begin >= added};
  }
  return spelled;
}

}  // namespace gladius::text
