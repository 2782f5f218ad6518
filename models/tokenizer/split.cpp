#include "gladius/models/tokenizer/split.h"

#include <map>
#include <utility>

#include "gladius/models/tokenizer/json_fields.h"

namespace gladius::text {
namespace {

using tokenizer_json::field;

// A match, or what lies between two.
struct Part {
  TextRange range;
  bool match;
};

std::vector<Part> cut(std::string_view word, const FindAll& find_all, bool invert) {
  std::vector<Part> parts;
  const std::vector<TextRange> matches = find_all(word);
  parts.reserve(matches.size() + 1);
  std::size_t pos = 0;
  const auto until = [&](std::size_t end, bool match) {
    if (end > pos) parts.push_back({{pos, end}, match != invert});
    pos = end;
  };
  for (const TextRange& match : matches) {
    until(match.begin, false);
    until(match.end, true);
  }
  until(word.size(), false);
  return parts;
}

// Whether `next` goes on with the word that `previous` is in.
bool joins(SplitBehavior behavior, const Part& previous, const Part& next) {
  switch (behavior) {
    case SplitBehavior::kMergedWithPrevious:
      return next.match && !previous.match;
    case SplitBehavior::kMergedWithNext:
      return previous.match && !next.match;
    case SplitBehavior::kContiguous:
      return previous.match == next.match;
    default:
      return false;
  }
}

}  // namespace

Words split(Words words, const FindAll& matches, SplitBehavior behavior, bool invert) {
  const std::string_view text = words.text.bytes();
  std::vector<TextRange> ranges;
  for (const auto [begin, end] : words.ranges) {
    const std::vector<Part> parts = cut(text.substr(begin, end - begin), matches, invert);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (behavior == SplitBehavior::kRemoved && parts[i].match) continue;
      const TextRange range{begin + parts[i].range.begin, begin + parts[i].range.end};
      if (i > 0 && joins(behavior, parts[i - 1], parts[i])) {
        ranges.back().end = range.end;
      } else {
        ranges.push_back(range);
      }
    }
  }
  words.ranges = std::move(ranges);
  return words;
}

Words split(Words words, const Regex& pattern, SplitBehavior behavior, bool invert) {
  const auto matches = [&](std::string_view word) { return pattern.find_all(word); };
  return split(std::move(words), matches, behavior, invert);
}

FindAll each_character(std::function<bool(char32_t)> holds) {
  return [holds = std::move(holds)](std::string_view text) {
    std::vector<TextRange> matches;
    for (std::size_t pos = 0, end; pos < text.size(); pos = end) {
      end = pos + utf8::char_length(text[pos]);
      if (holds(utf8::code_point(text, pos))) matches.push_back({pos, end});
    }
    return matches;
  };
}

SplitBehavior split_behavior(const nlohmann::json& component, const std::string& role,
                             const std::string& fallback) {
  static const std::map<std::string, SplitBehavior> behaviors{
      {"Isolated", SplitBehavior::kIsolated},
      {"Removed", SplitBehavior::kRemoved},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  const auto name = fallback.empty()
                        ? field<std::string>(component, "behavior", role)
                        : tokenizer_json::field_or(component, "behavior", role, fallback);
  const auto behavior = behaviors.find(name);
  if (behavior == behaviors.end()) tokenizer_json::refuse(role + " behavior", name);
  return behavior->second;
}

PreTokenizer make_split(const nlohmann::json& component, const std::string& role) {
  return [pattern = tokenizer_json::pattern(component, role),
          behavior = split_behavior(component, role),
          invert = tokenizer_json::field_or(component, "invert", role, false)](Words words) {
    return split(std::move(words), pattern, behavior, invert);
  };
}

}  // namespace gladius::text
