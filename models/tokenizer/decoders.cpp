#include "gladius/models/tokenizer/decoders.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "gladius/models/tokenizer/byte_level.h"
#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/metaspace.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius::text {
namespace {

using tokenizer_json::field;
using tokenizer_json::Json;

int hexadecimal_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

// Keeps a token until it has ended, for stages that need the whole of it.
template <class Stage>
struct OnWholeTokens {
  Stage stage;
  std::string open = {};

  void operator()(TokenList& tokens, bool last) {
    if (tokens.size() == 0) {
      open += tokens.bytes;
      tokens.bytes.clear();
    } else {
      const std::string rest(tokens.open());
      tokens.bytes.resize(tokens.ends.back());
      tokens.bytes.insert(0, open);
      for (std::size_t& end : tokens.ends) end += open.size();
      open = rest;
    }
    stage(tokens, last);
  }
};

template <class Stage>
OnWholeTokens<Stage> on_whole_tokens(Stage stage) {
  return {std::move(stage)};
}

// Runs of <0xNN> become their text; a run that is not UTF-8 becomes one U+FFFD a byte.
struct JoinBytes {
  std::string run = {};

  void operator()(TokenList& tokens, bool last) {
    TokenList out;
    out.bytes.reserve(tokens.bytes.size());
    out.ends.reserve(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (const int byte = byte_of_token(tokens[i]); byte >= 0) {
        run.push_back(static_cast<char>(byte));
      } else {
        end_run(out);
        out.push_back(tokens[i]);
      }
    }
    if (last) end_run(out);
    tokens = std::move(out);
  }

 private:
  void end_run(TokenList& out) {
    if (run.empty()) return;
    if (utf8::find_invalid(run) == std::string::npos) {
      out.push_back(run);
    } else {
      for (std::size_t i = 0; i < run.size(); ++i) out.push_back(utf8::kReplacement);
    }
    run.clear();
  }
};

// All tokens are one.
void fuse(TokenList& tokens, bool last) {
  tokens.ends.clear();
  if (last) tokens.end_token();
}

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

// The suffix ends a word: a space stands for it, but at the end of the text. So a token waits until
// another one follows.
struct ReplaceSuffix {
  std::string suffix;
  std::optional<std::string> held = {};

  void operator()(TokenList& tokens, bool last) {
    if (held) tokens.push_front(*held);
    held.reset();
    if (!last && tokens.size() > 0) held = tokens.pop_back();
    change_each(tokens, [&](std::string_view token, std::size_t i, std::string& out) {
      append_replaced(token, suffix, last && i + 1 == tokens.size() ? "" : " ", out);
    });
  }
};

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
struct JoinWordPieces {
  std::string prefix;
  bool cleans_up;
  bool at_start = true;

  void operator()(TokenList& tokens, bool) {
    change_each(tokens, [&](std::string_view token, std::size_t, std::string& out) {
      std::string text(token);
      if (!at_start) text = token.starts_with(prefix) ? text.substr(prefix.size()) : " " + text;
      at_start = false;
      out += cleans_up ? clean_up(std::move(text)) : text;
    });
  }
};

// Connectionist temporal classification: repeats are one, pads nothing.
struct Ctc {
  std::string pad, delimiter;
  bool cleans_up;
  std::optional<std::string> previous = {};

  void operator()(TokenList& tokens, bool) {
    TokenList out;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (previous == tokens[i]) continue;
      previous = tokens[i];
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

  void operator()(TokenList& tokens, bool) const {
    change_each(tokens, [this](std::string_view token, std::size_t, std::string& out) {
      out += strip(token);
    });
  }
};

// With nothing to strip at its end a token is passed on in parts: after Fuse it is the whole text.
struct StripStart {
  std::string mark;
  std::int64_t start;
  std::int64_t left = start;  // of the token that has not ended

  void operator()(TokenList& tokens, bool) {
    TokenList out;
    out.bytes.reserve(tokens.bytes.size());
    out.ends.reserve(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      strip(tokens[i], out.bytes);
      out.end_token();
      left = start;
    }
    strip(tokens.open(), out.bytes);
    tokens = std::move(out);
  }

 private:
  void strip(std::string_view part, std::string& out) {
    for (; left > 0 && part.starts_with(mark); --left) part.remove_prefix(mark.size());
    if (!part.empty()) left = 0;
    out += part;
  }
};

struct JoinWithSpaces {
  bool at_start = true;

  void operator()(TokenList& tokens, bool) {
    change_each(tokens, [this](std::string_view token, std::size_t, std::string& out) {
      if (!at_start) out += ' ';
      at_start = false;
      out += token;
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
    return on_whole_tokens([regex = tokenizer_json::pattern(component, role), to](
                               TokenList& tokens, bool) { replace_matches(tokens, regex, to); });
  }
  return on_whole_tokens([from = filled(pattern, "String", role + " pattern"), to](
                             TokenList& tokens, bool) { replace(tokens, from, to); });
}

TokenDecoder make_strip(const Json& component, const std::string& role) {
  const std::string mark = tokenizer_json::character(component, "content", role);
  const auto start = field<std::int64_t>(component, "start", role);
  const auto stop = field<std::int64_t>(component, "stop", role);
  if (stop <= 0) return StripStart{mark, start};
  return on_whole_tokens(Strip{mark, start, stop});
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
    return [stages = std::move(stages)](TokenList& tokens, bool last) {
      for (const TokenDecoder& stage : stages) stage(tokens, last);
    };
  }
  if (type == "ByteFallback") return on_whole_tokens(JoinBytes{});
  if (type == "Fuse") return fuse;
  if (type == "ByteLevel") return on_whole_tokens(ByteLevelDecoder());
  if (type == "Replace") return make_replace(component, role);
  if (type == "Strip") return make_strip(component, role);
  if (type == "Metaspace") {
    return on_whole_tokens(
        [stage = Metaspace(component, role), at_start = true](TokenList& tokens, bool) mutable {
          stage.decode(tokens, at_start);
          at_start = at_start && tokens.size() == 0;
        });
  }
  if (type == "BPEDecoder") {
    return on_whole_tokens(ReplaceSuffix{filled(component, "suffix", role)});
  }
  if (type == "WordPiece") {
    return on_whole_tokens(JoinWordPieces{field<std::string>(component, "prefix", role),
                                          field<bool>(component, "cleanup", role)});
  }
  if (type == "CTC") {
    return on_whole_tokens(Ctc{filled(component, "pad_token", role),
                               filled(component, "word_delimiter_token", role),
                               field<bool>(component, "cleanup", role)});
  }
  tokenizer_json::refuse("decoder", type);
}

TokenDecoder join_with_spaces() { return JoinWithSpaces(); }

}  // namespace gladius::text
