#include "gladius/models/tokenizer/decoders.h"

#include <string>
#include <utility>

#include "gladius/models/tokenizer/byte_level.h"
#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/metaspace.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius {
namespace {

using tokenizer_json::field;
using tokenizer_json::Json;

int hexadecimal_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

// Runs of <0xNN> become their text; a run that is not UTF-8 becomes one U+FFFD a byte.
void join_bytes(TokenList& tokens) {
  TokenList out;
  out.bytes.reserve(tokens.bytes.size());
  out.ends.reserve(tokens.size());
  std::string run;
  const auto flush = [&] {
    if (run.empty()) return;
    if (utf8::find_invalid(run) == std::string::npos) {
      out.push_back(run);
    } else {
      for (std::size_t i = 0; i < run.size(); ++i) out.push_back(utf8::kReplacement);
    }
    run.clear();
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (const int byte = byte_of_token(tokens[i]); byte >= 0) {
      run.push_back(static_cast<char>(byte));
    } else {
      flush();
      out.push_back(tokens[i]);
    }
  }
  flush();
  tokens = std::move(out);
}

void fuse(TokenList& tokens) { tokens.ends = {tokens.bytes.size()}; }

// Each token by what `change` makes of it; (token, its number, out) appends to `out`.
template <class Change>
void change_each(TokenList& tokens, Change change) {
  TokenList out;
  out.bytes.reserve(tokens.bytes.size());
  out.ends.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    change(tokens[i], i, out.bytes);
    out.end_token();
  }
  tokens = std::move(out);
}

void replace(TokenList& tokens, const std::string& from, const std::string& to) {
  if (tokens.bytes.find(from) == std::string::npos) return;
  change_each(tokens, [&](std::string_view token, std::size_t, std::string& out) {
    append_replaced(token, from, to, out);
  });
}

void replace_matches(TokenList& tokens, const Regex& pattern, const std::string& to) {
  change_each(tokens, [&](std::string_view token, std::size_t, std::string& out) {
    std::size_t pos = 0;
    for (const auto [begin, end] : pattern.find_all(token)) {
      out.append(token, pos, begin - pos).append(to);
      pos = end;
    }
    out.append(token, pos);
  });
}

// The suffix ends a word: a space stands for it, but at the end of the text.
void replace_suffix(TokenList& tokens, const std::string& suffix) {
  change_each(tokens, [&](std::string_view token, std::size_t i, std::string& out) {
    append_replaced(token, suffix, i + 1 == tokens.size() ? "" : " ", out);
  });
}

// Spaces that English text has not.
std::string clean_up(std::string text) {
  constexpr std::string_view kChanges[][2] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kChanges) text = utf8::replace_all(text, from, to);
  return text;
}

// A token without the prefix begins a word.
void join_word_pieces(TokenList& tokens, const std::string& prefix, bool cleans_up) {
  change_each(tokens, [&](std::string_view token, std::size_t i, std::string& out) {
    std::string text(token);
    if (i > 0) text = token.starts_with(prefix) ? text.substr(prefix.size()) : " " + text;
    out += cleans_up ? clean_up(std::move(text)) : text;
  });
}

// Connectionist temporal classification: repeats are one, pads nothing.
struct Ctc {
  std::string pad, delimiter;
  bool cleans_up;

  void operator()(TokenList& tokens) const {
    TokenList out;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i] == tokens[i - 1]) continue;
      std::string text = without(tokens[i], pad, "");
      if (cleans_up) text = without(clean_up(std::move(text)), delimiter, " ");
      if (!text.empty()) out.push_back(text);
    }
    tokens = std::move(out);
  }

 private:
  static std::string without(std::string_view text, const std::string& from, const char* to) {
    return utf8::replace_all(text, from, to);
  }
};

struct Strip {
  std::string mark;
  std::int64_t start, stop;

  std::string_view strip(std::string_view token) const {
    for (std::int64_t i = 0; i < start && token.starts_with(mark); ++i) {
      token.remove_prefix(mark.size());
    }
    for (std::int64_t i = 0; i < stop && token.ends_with(mark); ++i) {
      token.remove_suffix(mark.size());
    }
    return token;
  }

  void operator()(TokenList& tokens) const {
    change_each(tokens, [this](std::string_view token, std::size_t, std::string& out) {
      out += strip(token);
    });
  }
};

// The member `name` as a text that is not empty: something is looked for in tokens.
std::string filled(const Json& component, const std::string& name, const std::string& role) {
  auto text = field<std::string>(component, name, role);
  if (text.empty()) throw FormatError(fmt::format("tokenizer: {} has an empty \"{}\"", role, name));
  return text;
}

TokenDecoder make_replace(const Json& component, const std::string& role) {
  const Json pattern = field<Json>(component, "pattern", role);
  const auto to = field<std::string>(component, "content", role);
  if (pattern.is_object() && pattern.contains("Regex")) {
    return [regex = tokenizer_json::pattern(component, role), to](TokenList& tokens) {
      replace_matches(tokens, regex, to);
    };
  }
  return [from = filled(pattern, "String", role + " pattern"), to](TokenList& tokens) {
    replace(tokens, from, to);
  };
}

}  // namespace

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = token[3] == '+' ? 0 : hexadecimal_digit(token[3]);
  const int low = hexadecimal_digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

TokenDecoder make_decoder(const Json& component) {
  if (component.is_null()) return {};
  const auto type = field<std::string>(component, "type", "decoder");
  const std::string role = "decoder " + type;
  if (type == "Sequence") {
    auto stages = tokenizer_json::sequence<TokenDecoder>(component, "decoders", role, make_decoder);
    return [stages = std::move(stages)](TokenList& tokens) {
      for (const TokenDecoder& stage : stages) stage(tokens);
    };
  }
  if (type == "ByteFallback") return join_bytes;
  if (type == "Fuse") return fuse;
  if (type == "ByteLevel") return decode_byte_level;
  if (type == "Replace") return make_replace(component, role);
  if (type == "Strip") {
    return Strip{tokenizer_json::character(component, "content", role),
                 field<std::int64_t>(component, "start", role),
                 field<std::int64_t>(component, "stop", role)};
  }
  if (type == "Metaspace") {
    return [stage = Metaspace(component, role)](TokenList& tokens) { stage.decode(tokens); };
  }
  if (type == "BPEDecoder") {
    return [suffix = filled(component, "suffix", role)](TokenList& tokens) {
      replace_suffix(tokens, suffix);
    };
  }
  if (type == "WordPiece") {
    return [prefix = field<std::string>(component, "prefix", role),
            cleans_up = field<bool>(component, "cleanup", role)](TokenList& tokens) {
      join_word_pieces(tokens, prefix, cleans_up);
    };
  }
  if (type == "CTC") {
    return Ctc{filled(component, "pad_token", role),
               filled(component, "word_delimiter_token", role),
               field<bool>(component, "cleanup", role)};
  }
  tokenizer_json::refuse("decoder", type);
}

}  // namespace gladius
