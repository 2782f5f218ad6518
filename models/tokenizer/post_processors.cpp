#include "gladius/models/tokenizer/post_processors.h"

#include <algorithm>
#include <string>
#include <utility>

#include "gladius/models/tokenizer/json_fields.h"

namespace gladius {
namespace {

using tokenizer_json::field;
using tokenizer_json::field_or;
using tokenizer_json::Json;

using Ids = std::vector<std::int32_t>;

constexpr std::string_view kByteLevelSpace = "\u0120";

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

// How many spaces `token` begins with, and their bytes in the source.
struct Spaces {
  std::uint32_t count = 0, bytes = 0;
};

std::size_t space_at(std::string_view token, std::size_t pos, Spaces& spaces) {
  const std::size_t length = utf8::char_length(token[pos]);
  const bool byte_level = token.substr(pos, length) == kByteLevelSpace;
  if (!byte_level && !utf8::is_white_space(utf8::code_point(token, pos))) return 0;
  ++spaces.count;
  spaces.bytes += byte_level ? 1 : static_cast<std::uint32_t>(length);
  return length;
}

Spaces leading_spaces(std::string_view token) {
  Spaces spaces;
  for (std::size_t pos = 0, length; pos < token.size(); pos += length) {
    if ((length = space_at(token, pos, spaces)) == 0) break;
  }
  return spaces;
}

Spaces trailing_spaces(std::string_view token) {
  Spaces spaces;
  while (!token.empty()) {
    std::size_t pos = token.size() - 1;
    while (pos > 0 && (static_cast<unsigned char>(token[pos]) & 0xC0) == 0x80) --pos;
    if (space_at(token, pos, spaces) == 0) break;
    token = token.substr(0, pos);
  }
  return spaces;
}

// Leaves the spaces of byte-level tokens out of their spans.
void trim(const PostProcessed& text, bool add_prefix_space) {
  auto& spans = text.encoding.spans;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    ByteSpan& span = spans[i];
    const std::string_view token = text.token(i);
    Spaces leading = leading_spaces(token);
    // One space at the start is the one that the pre-tokenizer put there.
    const bool first = i == 0 || span.begin == 0;
    if (first && add_prefix_space && leading.count == 1) leading = {};
    if (leading.count > 0) span.begin = std::min(span.begin + leading.bytes, span.end);
    const std::uint32_t trailing = trailing_spaces(token).bytes;
    if (span.end >= trailing) span.end = std::max(span.end - trailing, span.begin);
  }
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
  tokenizer_json::refuse("post_processor", type);
}

}  // namespace gladius
