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

void replace(TokenList& tokens, const std::string& from, const std::string& to) {
  if (tokens.bytes.find(from) == std::string::npos) return;
  TokenList out;
  out.bytes.reserve(tokens.bytes.size());
  out.ends.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    append_replaced(tokens[i], from, to, out.bytes);
    out.end_token();
  }
  tokens = std::move(out);
}

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
    TokenList out;
    out.bytes.reserve(tokens.bytes.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) out.push_back(strip(tokens[i]));
    tokens = std::move(out);
  }
};

TokenDecoder make_replace(const Json& component, const std::string& role) {
  const Json pattern = field<Json>(component, "pattern", role);
  if (pattern.is_object() && pattern.contains("Regex")) {
    throw ConfigError(fmt::format("tokenizer: {} with a Regex pattern is not supported", role));
  }
  const auto from = field<std::string>(pattern, "String", role + " pattern");
  if (from.empty()) throw FormatError(fmt::format("tokenizer: {} has an empty pattern", role));
  return [from, to = field<std::string>(component, "content", role)](TokenList& tokens) {
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
  tokenizer_json::refuse("decoder", type);
}

}  // namespace gladius
