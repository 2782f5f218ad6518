#include "gladius/models/tokenizer/normalizers.h"

#include <string>
#include <utility>

#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/nfc.h"

namespace gladius {
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
  if (type == "NFC") return normalize_nfc;
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

}  // namespace gladius
