#include "gladius/models/tokenizer/text_stages.h"

#include <utility>

#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius {
namespace {

using tokenizer_json::field;
using tokenizer_json::field_or;
using tokenizer_json::Json;
using tokenizer_json::refuse;

// Runs the stages of a Sequence one after another.
template <class Stage, class Make>
Stage make_sequence(const Json& component, const char* member, const std::string& role, Make make) {
  std::vector<Stage> stages;
  for (const Json& part : field<std::vector<Json>>(component, member, role)) {
    if (Stage stage = make(part)) stages.push_back(std::move(stage));
  }
  return [stages](auto value) {
    for (const Stage& stage : stages) value = stage(std::move(value));
    return value;
  };
}

struct Metaspace {
  std::string replacement;
  std::string prepend_scheme;
  bool split;
};

Metaspace metaspace(const Json& component, const std::string& role) {
  Metaspace m{field<std::string>(component, "replacement", role), "always",
              field_or(component, "split", role, true)};
  // Files written before prepend_scheme existed say add_prefix_space.
  const bool prefix = field_or(component, "add_prefix_space", role, true);
  m.prepend_scheme =
      field_or<std::string>(component, "prepend_scheme", role, prefix ? "always" : "never");
  if (m.replacement.empty()) throw FormatError("tokenizer: Metaspace has an empty replacement");
  if (m.prepend_scheme != "always" && m.prepend_scheme != "first" && m.prepend_scheme != "never") {
    refuse("Metaspace prepend_scheme", m.prepend_scheme);
  }
  return m;
}

std::vector<TextPiece> split_before(const std::vector<TextPiece>& pieces, const std::string& mark) {
  std::vector<TextPiece> out;
  for (const TextPiece& piece : pieces) {
    std::size_t start = 0;
    while (start < piece.text.size()) {
      const std::size_t hit = piece.text.find(mark, start + 1);
      const std::size_t end = hit == std::string::npos ? piece.text.size() : hit;
      out.push_back({piece.text.substr(start, end - start), piece.at_start && start == 0});
      start = end;
    }
  }
  return out;
}

int byte_of_token(const std::string& token) {
  if (token.size() != 6 || token.compare(0, 3, "<0x") != 0 || token[5] != '>') return -1;
  int value = 0;
  for (const char c : {token[3], token[4]}) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// Runs of <0xNN> become their text; a run that is not UTF-8 becomes one U+FFFD a byte.
std::vector<std::string> join_bytes(std::vector<std::string> tokens) {
  std::vector<std::string> out;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (utf8::find_invalid(bytes) == std::string::npos) {
      out.push_back(std::move(bytes));
    } else {
      out.insert(out.end(), bytes.size(), std::string(utf8::kReplacement));
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const int byte = byte_of_token(token); byte >= 0) {
      bytes.push_back(static_cast<char>(byte));
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  return out;
}

std::string strip(std::string token, const std::string& mark, std::int64_t start,
                  std::int64_t stop) {
  while (start-- > 0 && token.compare(0, mark.size(), mark) == 0) token.erase(0, mark.size());
  while (stop-- > 0 && token.size() >= mark.size() &&
         token.compare(token.size() - mark.size(), mark.size(), mark) == 0) {
    token.resize(token.size() - mark.size());
  }
  return token;
}

}  // namespace

Normalizer make_normalizer(const Json& component) {
  if (component.is_null()) return {};
  const auto type = field<std::string>(component, "type", "normalizer");
  const std::string role = "normalizer " + type;
  if (type == "Sequence") {
    return make_sequence<Normalizer>(component, "normalizers", role, make_normalizer);
  }
  if (type == "Prepend") {
    return [prefix = field<std::string>(component, "prepend", role)](std::string text) {
      return text.empty() ? text : prefix + text;
    };
  }
  if (type == "Replace") {
    return [from = tokenizer_json::string_pattern(component, role),
            to = field<std::string>(component, "content", role)](const std::string& text) {
      return utf8::replace_all(text, from, to);
    };
  }
  refuse("normalizer", type);
}

PreTokenizer make_pre_tokenizer(const Json& component) {
  if (component.is_null()) return {};
  const auto type = field<std::string>(component, "type", "pre_tokenizer");
  const std::string role = "pre_tokenizer " + type;
  if (type == "Sequence") {
    return make_sequence<PreTokenizer>(component, "pretokenizers", role, make_pre_tokenizer);
  }
  if (type != "Metaspace") refuse("pre_tokenizer", type);
  return [m = metaspace(component, role)](std::vector<TextPiece> pieces) {
    for (TextPiece& piece : pieces) {
      piece.text = utf8::replace_all(piece.text, " ", m.replacement);
      const bool prepend =
          m.prepend_scheme == "always" || (m.prepend_scheme == "first" && piece.at_start);
      if (prepend && piece.text.compare(0, m.replacement.size(), m.replacement) != 0) {
        piece.text.insert(0, m.replacement);
      }
    }
    return m.split ? split_before(pieces, m.replacement) : pieces;
  };
}

PostProcessor make_post_processor(const Json& component) {
  PostProcessor out;
  if (component.is_null()) return out;
  const auto type = field<std::string>(component, "type", "post_processor");
  const std::string role = "post_processor " + type;
  if (type == "Sequence") {
    for (const Json& part : field<std::vector<Json>>(component, "processors", role)) {
      const PostProcessor inner = make_post_processor(part);
      out.prefix.insert(out.prefix.begin(), inner.prefix.begin(), inner.prefix.end());
      out.suffix.insert(out.suffix.end(), inner.suffix.begin(), inner.suffix.end());
    }
    return out;
  }
  if (type != "TemplateProcessing") refuse("post_processor", type);
  const Json special = field_or<Json>(component, "special_tokens", role, Json::object());
  int sequences = 0;
  for (const Json& item : field<std::vector<Json>>(component, "single", role)) {
    if (item.contains("Sequence")) {
      ++sequences;
      continue;
    }
    const auto name = field<std::string>(field<Json>(item, "SpecialToken", role), "id", role);
    const Json entry = field<Json>(special, name, role + " special_tokens");
    for (const auto id : field<std::vector<std::int32_t>>(entry, "ids", role)) {
      (sequences == 0 ? out.prefix : out.suffix).push_back(id);
    }
  }
  if (sequences != 1) {
    throw ConfigError(
        fmt::format("tokenizer: {} holds the sequence {} times, expected once", role, sequences));
  }
  return out;
}

TokenDecoder make_decoder(const Json& component) {
  if (component.is_null()) return {};
  const auto type = field<std::string>(component, "type", "decoder");
  const std::string role = "decoder " + type;
  if (type == "Sequence") {
    return make_sequence<TokenDecoder>(component, "decoders", role, make_decoder);
  }
  if (type == "ByteFallback") return join_bytes;
  if (type == "Fuse") {
    return [](const std::vector<std::string>& tokens) {
      std::string all;
      for (const std::string& token : tokens) all += token;
      return std::vector<std::string>{all};
    };
  }
  if (type == "Replace") {
    return [from = tokenizer_json::string_pattern(component, role),
            to = field<std::string>(component, "content", role)](std::vector<std::string> tokens) {
      for (std::string& token : tokens) token = utf8::replace_all(token, from, to);
      return tokens;
    };
  }
  if (type == "Strip") {
    const auto mark = field<std::string>(component, "content", role);
    if (mark.empty()) throw FormatError("tokenizer: decoder Strip has an empty content");
    return [mark, start = field<std::int64_t>(component, "start", role),
            stop = field<std::int64_t>(component, "stop", role)](std::vector<std::string> tokens) {
      for (std::string& token : tokens) token = strip(std::move(token), mark, start, stop);
      return tokens;
    };
  }
  if (type == "Metaspace") {
    return [m = metaspace(component, role)](std::vector<std::string> tokens) {
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        const bool drop = i == 0 && m.prepend_scheme != "never";
        tokens[i] = utf8::replace_all(tokens[i], m.replacement, drop ? "" : " ");
      }
      return tokens;
    };
  }
  refuse("decoder", type);
}

}  // namespace gladius
