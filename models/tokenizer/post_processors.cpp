#include "gladius/models/tokenizer/post_processors.h"

#include <algorithm>
#include <string>
#include <utility>

#include "gladius/models/tokenizer/json_fields.h"

namespace gladius::text {
namespace {

using tokenizer_json::field;
using tokenizer_json::field_or;
using tokenizer_json::Json;

using Ids = std::vector<std::int32_t>;

constexpr std::string_view kByteLevelSpace = "\u0120";

// Adds ids before the text and after it.
PostProcessor put_around(const Ids& prefix, const Ids& suffix) {
  return [prefix, suffix](const PostProcessed& text) {
    if (!text.add_special_tokens) return;
    auto& [ids, spans] = text.encoding;
    const bool has_spans = spans.size() == ids.size();
    ids.insert(ids.begin(), prefix.begin(), prefix.end());
    ids.insert(ids.end(), suffix.begin(), suffix.end());
    if (!has_spans) return;
    spans.insert(spans.begin(), prefix.size(), {});
    spans.insert(spans.end(), suffix.size(), {});
  };
}

PostProcessor make_template(const Json& component, const std::string& role) {
  const Json special = field_or<Json>(component, "special_tokens", role, Json::object());
  Ids prefix, suffix;
  int sequences = 0;
  for (const Json& item : field<std::vector<Json>>(component, "single", role)) {
    if (item.contains("Sequence")) {
      ++sequences;
      continue;
    }
    const auto name = field<std::string>(field<Json>(item, "SpecialToken", role), "id", role);
    const Json entry = field<Json>(special, name, role + " special_tokens");
    const auto ids = field<Ids>(entry, "ids", role);
    Ids& side = sequences == 0 ? prefix : suffix;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (sequences != 1) {
    throw ConfigError(
        fmt::format("tokenizer: {} holds the sequence {} times, expected once", role, sequences));
  }
  return put_around(prefix, suffix);
}

// The id of a pair ["token", id].
std::int32_t id_of_pair(const Json& component, const std::string& name, const std::string& role) {
  const Json pair = field<Json>(component, name, role);
  if (!pair.is_array() || pair.size() != 2 || !pair[1].is_number_unsigned()) {
    throw FormatError(fmt::format("tokenizer: {}: \"{}\" is no token and id", role, name));
  }
  return pair[1].get<std::int32_t>();
}

// Whether the character of `token` at `pos` stands for a space.
bool is_space(std::string_view token, std::size_t pos) {
  return token.substr(pos).starts_with(kByteLevelSpace) ||
         utf8::is_white_space(utf8::code_point(token, pos));
}

std::size_t leading_spaces(std::string_view token) {
  std::size_t count = 0;
  for (std::size_t pos = 0; pos < token.size() && is_space(token, pos); ++count) {
    pos += utf8::char_length(token[pos]);
  }
  return count;
}

std::size_t trailing_spaces(std::string_view token) {
  std::size_t count = 0;
  for (std::size_t end = token.size(); end > 0; ++count) {
    end = utf8::character_before(token, end);
    if (!is_space(token, end)) break;
  }
  return count;
}

// Leaves the spaces of byte-level tokens out of their spans: as many characters of the source as
// the token has spaces.
void trim(const PostProcessed& text, bool add_prefix_space) {
  auto& spans = text.encoding.spans;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    ByteSpan& span = spans[i];
    const std::string_view token = text.token(i);
    std::size_t leading = leading_spaces(token);
    // One space at the start is the one that the pre-tokenizer put there.
    const bool first = i == 0 || span.begin == 0;
    if (first && add_prefix_space && leading == 1) leading = 0;
    for (; leading > 0 && span.begin < span.end; --leading) {
      const std::size_t valid = utf8::valid_length(text.source, span.begin);
      span.begin += static_cast<std::uint32_t>(
          valid > 0 ? valid : utf8::invalid_length(text.source, span.begin));
    }
    for (std::size_t n = trailing_spaces(token); n > 0 && span.begin < span.end; --n) {
      const auto end = static_cast<std::uint32_t>(utf8::character_before(text.source, span.end));
      span.end = std::max(end, span.begin);
    }
  }
}

// BERT's and, with trimmed spans, RoBERTa's tokens around a text.
PostProcessor make_bert(const Json& component, const std::string& role, bool trims) {
  const PostProcessor around =
      put_around({id_of_pair(component, "cls", role)}, {id_of_pair(component, "sep", role)});
  if (!trims) return around;
  return [around,
          prefix = field_or(component, "add_prefix_space", role, true)](const PostProcessed& text) {
    trim(text, prefix);
    around(text);
  };
}

}  // namespace

PostProcessor make_post_processor(const Json& component) {
  if (component.is_null()) return {};
  const auto type = field<std::string>(component, "type", "post_processor");
  const std::string role = "post_processor " + type;
  if (type == "Sequence") {
    auto stages =
        tokenizer_json::sequence<PostProcessor>(component, "processors", role, make_post_processor);
    return [stages = std::move(stages)](const PostProcessed& text) {
      for (const PostProcessor& stage : stages) stage(text);
    };
  }
  if (type == "TemplateProcessing") return make_template(component, role);
  if (type == "ByteLevel") {
    return [trims = field<bool>(component, "trim_offsets", role),
            prefix = field<bool>(component, "add_prefix_space", role)](const PostProcessed& text) {
      if (trims) trim(text, prefix);
    };
  }
  if (type == "BertProcessing") return make_bert(component, role, false);
  if (type == "RobertaProcessing") {
    return make_bert(component, role, field_or(component, "trim_offsets", role, true));
  }
  tokenizer_json::refuse("post_processor", type);
}

}  // namespace gladius::text
