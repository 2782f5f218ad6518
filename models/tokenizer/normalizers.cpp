#include "gladius/models/tokenizer/normalizers.h"

#include <optional>
#include <string>
#include <utility>

#include "gladius/models/tokenizer/byte_level.h"
#include "gladius/models/tokenizer/characters.h"
#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/unicode_normalization.h"

namespace gladius::text {
namespace {

using tokenizer_json::field;
using tokenizer_json::Json;

// The prefix has the span of the first character, as in the reference.
AlignedText prepend(AlignedText text, const std::string& prefix) {
  if (text.size() == 0) return text;
  AlignedText out(text.tracked());
  out.reserve(prefix.size() + text.size());
  out.append(prefix, text.span(0, 1));
  out.append(text, 0, text.size());
  return out;
}

// What replaces a match has the span of the match's last byte, as in the reference.
AlignedText replace(AlignedText text, const Regex& pattern, const std::string& content) {
  const std::vector<TextRange> matches = pattern.find_all(text.bytes());
  if (matches.empty()) return text;
  AlignedText out(text.tracked());
  out.reserve(text.size() + matches.size() * content.size());
  std::size_t pos = 0;
  for (const TextRange& match : matches) {
    out.append(text, pos, match.begin);
    out.append(content, text.span(match.end - 1, match.end));
    pos = match.end;
  }
  out.append(text, pos, text.size());
  return out;
}

// What `map` appends for a character has the character's span.
template <class Map>
AlignedText map_characters(const AlignedText& text, Map map) {
  AlignedText out(text.tracked());
  out.reserve(text.size());
  std::string mapped;
  for (std::size_t pos = 0, end; pos < text.size(); pos = end) {
    end = pos + utf8::char_length(text.bytes()[pos]);
    mapped.clear();
    map(mapped, utf8::code_point(text.bytes(), pos));
    out.append(mapped, text.span(pos, end));
  }
  return out;
}

AlignedText strip_accents(const AlignedText& text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    if (!characters::is_mark(c)) utf8::append(out, c);
  });
}

AlignedText lowercase(const AlignedText& text) {
  return map_characters(text, characters::append_lowercase);
}

// SentencePiece's clean-up: control characters go, what looks like a space becomes one.
AlignedText clean(const AlignedText& text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
        c == 0x9F) {
      return;
    }
    const bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    utf8::append(out, space ? U' ' : c);
  });
}

AlignedText strip(const AlignedText& text, bool left, bool right) {
  const std::string& bytes = text.bytes();
  const auto is_space = [&](std::size_t pos) {
    return utf8::is_white_space(utf8::code_point(bytes, pos));
  };
  std::size_t begin = 0, end = bytes.size();
  while (left && begin < end && is_space(begin)) begin += utf8::char_length(bytes[begin]);
  while (right && begin < end && is_space(utf8::character_before(bytes, end))) {
    end = utf8::character_before(bytes, end);
  }
  return text.slice(begin, end);
}

std::optional<UnicodeForm> unicode_form(const std::string& name) {
  if (name == "NFC") return UnicodeForm::kNfc;
  if (name == "NFD") return UnicodeForm::kNfd;
  if (name == "NFKC") return UnicodeForm::kNfkc;
  if (name == "NFKD") return UnicodeForm::kNfkd;
  return std::nullopt;
}

}  // namespace

Normalizer make_normalizer(const Json& component) {
  if (component.is_null()) return {};
  const auto type = field<std::string>(component, "type", "normalizer");
  const std::string role = "normalizer " + type;
  if (type == "Sequence") {
    auto stages =
        tokenizer_json::sequence<Normalizer>(component, "normalizers", role, make_normalizer);
    return [stages = std::move(stages)](AlignedText text) {
      for (const Normalizer& stage : stages) text = stage(std::move(text));
      return text;
    };
  }
  if (const auto form = unicode_form(type)) {
    return [form = *form](AlignedText text) { return normalize_unicode(std::move(text), form); };
  }
  if (type == "Lowercase") return lowercase;
  if (type == "StripAccents") return strip_accents;
  if (type == "Nmt") return clean;
  if (type == "ByteLevel") return to_byte_characters;
  if (type == "Strip") {
    return [left = field<bool>(component, "strip_left", role),
            right = field<bool>(component, "strip_right", role)](const AlignedText& text) {
      return strip(text, left, right);
    };
  }
  if (type == "Prepend") {
    return [prefix = field<std::string>(component, "prepend", role)](AlignedText text) {
      return prepend(std::move(text), prefix);
    };
  }
  if (type == "Replace") {
    return [pattern = tokenizer_json::pattern(component, role),
            content = field<std::string>(component, "content", role)](AlignedText text) {
      return replace(std::move(text), pattern, content);
    };
  }
  tokenizer_json::refuse("normalizer", type);
}

}  // namespace gladius::text
