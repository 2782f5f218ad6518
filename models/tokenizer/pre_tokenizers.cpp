#include "gladius/models/tokenizer/pre_tokenizers.h"

#include <algorithm>
#include <string>
#include <utility>

#include "gladius/models/tokenizer/byte_level.h"
#include "gladius/models/tokenizer/characters.h"
#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/metaspace.h"
#include "gladius/models/tokenizer/split.h"

namespace gladius::text {
namespace {

using tokenizer_json::field;
using tokenizer_json::Json;

// Rust's \w and what is neither it nor white space, as in the reference.
constexpr char kWhitespaceWords[] =
    R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|)"
    R"([^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+)";

PreTokenizer cut_at(std::function<bool(char32_t)> holds, SplitBehavior behavior) {
  return [matches = each_character(std::move(holds)), behavior](Words words) {
    return split(std::move(words), matches, behavior);
  };
}

PreTokenizer make_whitespace() {
  return [pattern = Regex::from_pcre2(kWhitespaceWords)](Words words) {
    return split(std::move(words), pattern, SplitBehavior::kRemoved, /*invert=*/true);
  };
}

PreTokenizer make_bert() {
  return [spaces = cut_at(utf8::is_white_space, SplitBehavior::kRemoved),
          marks = cut_at(characters::is_punctuation, SplitBehavior::kIsolated)](Words words) {
    return marks(spaces(std::move(words)));
  };
}

PreTokenizer make_digits(const Json& component, const std::string& role) {
  const bool individual = field<bool>(component, "individual_digits", role);
  return cut_at(characters::is_number,
                individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
}

PreTokenizer make_delimiter(const Json& component, const std::string& role) {
  const std::string delimiter = tokenizer_json::character(component, "delimiter", role);
  const char32_t value = utf8::code_point(delimiter, 0);
  return cut_at([value](char32_t c) { return c == value; }, SplitBehavior::kRemoved);
}

// Words of `length` characters, the last of what is left.
PreTokenizer make_fixed_length(const Json& component, const std::string& role) {
  const auto length = tokenizer_json::field_or<std::int64_t>(component, "length", role, 5);
  if (length < 1) throw FormatError(fmt::format("tokenizer: {}: \"length\" is {}", role, length));
  return [length](Words words) {
    std::vector<TextRange> ranges;
    for (const auto [begin, end] : words.ranges) {
      std::size_t start = begin, pos = begin;
      for (std::int64_t count = 1; pos < end; ++count) {
        pos += utf8::char_length(words.text.bytes()[pos]);
        if (pos < end && count % length != 0) continue;
        ranges.push_back({start, pos});
        start = pos;
      }
    }
    words.ranges = std::move(ranges);
    return words;
  };
}

bool has_first_scheme(const Json& component) {
  if (!component.is_object()) return false;
  const Json stages = component.value("pretokenizers", Json());
  return component.value("prepend_scheme", Json()) == "first" ||
         (stages.is_array() && std::ranges::any_of(stages, has_first_scheme));
}

}  // namespace

bool goes_by_source(const Json& pre_tokenizer, bool is_normalized) {
  const bool is_alone = !pre_tokenizer.is_object() || !pre_tokenizer.contains("pretokenizers");
  return has_first_scheme(pre_tokenizer) && (is_normalized || !is_alone);
}

PreTokenizer make_pre_tokenizer(const nlohmann::json& component) {
  if (component.is_null()) return {};
  const auto type = field<std::string>(component, "type", "pre_tokenizer");
  const std::string role = "pre_tokenizer " + type;
  if (type == "Sequence") {
    auto stages = tokenizer_json::sequence<PreTokenizer>(component, "pretokenizers", role,
                                                         make_pre_tokenizer);
    return [stages = std::move(stages)](Words words) {
      for (const PreTokenizer& stage : stages) words = stage(std::move(words));
      return words;
    };
  }
  if (type == "Split") return make_split(component, role);
  if (type == "ByteLevel") {
    return [stage = ByteLevel(component, role)](Words words) {
      return stage.pre_tokenize(std::move(words));
    };
  }
  if (type == "Metaspace") {
    return [stage = Metaspace(component, role)](Words words) {
      return stage.pre_tokenize(std::move(words));
    };
  }
  if (type == "Whitespace") return make_whitespace();
  if (type == "WhitespaceSplit") return cut_at(utf8::is_white_space, SplitBehavior::kRemoved);
  if (type == "BertPreTokenizer") return make_bert();
  if (type == "Digits") return make_digits(component, role);
  if (type == "CharDelimiterSplit") return make_delimiter(component, role);
  if (type == "FixedLength") return make_fixed_length(component, role);
  if (type == "Punctuation") {
    return cut_at(characters::is_punctuation, split_behavior(component, role, "Isolated"));
  }
  tokenizer_json::refuse("pre_tokenizer", type);
}

}  // namespace gladius::text
