#include "gladius/models/tokenizer/tokenizer_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kNames{"bos_token", "eos_token", "unk_token", "sep_token",
                            "pad_token", "cls_token", "mask_token"};
constexpr char kExtra[] = "extra_special_tokens", kOlderExtra[] = "additional_special_tokens",
               kOwn[] = "model_specific_special_tokens", kDecoder[] = "added_tokens_decoder";

// The file's object; empty when there is no file.
Json read_object(const std::filesystem::path& file) {
  if (!is_there(file)) return Json::object();
  Json object = read_json_file(file);
  if (!object.is_object()) {
    throw FormatError(fmt::format("{}: expected a JSON object", file.string()));
  }
  return object;
}

bool is_standard(std::string_view name) { return std::ranges::count(kNames, name) > 0; }

// As transformers writes a token into tokenizer_config.json.
bool is_typed(const Json& value) { return value.is_object() && value.contains("__type"); }

// A token of a model's own: any text under a name like "image_token".
bool is_own_token(std::string_view name, const Json& value) {
  return name.ends_with("_token") && !is_standard(name) &&
         (value.is_string() || (value.is_object() && value.contains("content")));
}

std::int32_t parse_id(const std::string& text, const std::string& where) {
  std::int32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw FormatError(fmt::format("{}: the key {} is no token id", where, in_quotes(text)));
  }
  return id;
}

bool holds(const std::vector<AddedToken>& tokens, const std::string& content) {
  return std::ranges::find(tokens, content, &AddedToken::content) != tokens.end();
}

// The last one of a text, even where another token has its id; null where there is none.
const AddedToken* last_of_text(const std::string& content, const std::vector<AddedToken>& listed) {
  const auto last = std::find_if(listed.rbegin(), listed.rend(),
                                 [&](const AddedToken& token) { return token.content == content; });
  return last == listed.rend() ? nullptr : &*last;
}

// In the order of the ids.
std::vector<AddedToken> last_of_each_id(std::vector<AddedToken> tokens) {
  std::ranges::reverse(tokens);
  std::ranges::stable_sort(tokens, {}, &AddedToken::id);
  // Not std::ranges::unique: what it returns is more than clang 14 compiles with libstdc++.
  const auto same_id = [](const AddedToken& a, const AddedToken& b) { return a.id == b.id; };
  tokens.erase(std::unique(tokens.begin(), tokens.end(), same_id), tokens.end());
  return tokens;
}

// transformers takes the older name's list where the newer one has nothing.
void rename_older_list(Json& config) {
  const bool none = !config.contains(kExtra) || config.at(kExtra).empty();
  if (!none || !config.contains(kOlderExtra)) return;
  config[kExtra] = config.at(kOlderExtra);
  config.erase(kOlderExtra);
}

// Extra tokens that have names are a model's own.
void move_named_extra_tokens(Json& config, Json& own) {
  const auto extra = config.find(kExtra);
  if (extra == config.end() || !extra->is_object()) return;
  own.update(*extra);
  config.erase(extra);
}

// The tokens of a model's own that tokenizer_config.json has, by name; they leave `config`.
Json take_own_tokens(Json& config, const std::string& file) {
  Json own = Json::object();
  for (const auto& [name, value] : config.items()) {
    if (value.is_string() && is_own_token(name, value)) own[name] = value;
  }
  for (const auto& [name, value] : own.items()) config.erase(name);
  move_named_extra_tokens(config, own);
  const Json listed = config.value(kOwn, Json());
  if (!own.empty() || listed.is_null()) return own;
  if (!listed.is_object()) {
    throw FormatError(fmt::format("{}: \"{}\" is not an object of tokens by name", file, kOwn));
  }
  return listed;
}

// special_tokens_map.json goes before tokenizer_config.json, but for a model's own tokens; lists
// are joined.
void merge_special_tokens_map(Json& config, Json& own, const Json& map) {
  for (const auto& [name, value] : map.items()) {
    Json& target = config[name];
    if (name != kExtra || !value.is_array() || !target.is_array()) {
      target = value;
      continue;
    }
    for (const Json& token : value) {
      if (std::ranges::find(target, token) == target.end()) target.push_back(token);
    }
  }
  move_named_extra_tokens(config, own);
}

// The texts of the special tokens that transformers sees when it reads added_tokens.json: not yet
// a model's own, those under the older name, and the objects of tokenizer_config.json.
std::vector<std::string> special_texts(const Json& config) {
  std::vector<std::string> texts;
  const auto add = [&](const Json& value) {
    const Json text =
        value.is_object() && !is_typed(value) ? value.value("content", Json()) : value;
    if (text.is_string()) texts.push_back(text);
  };
  for (const char* name : kNames) add(config.value(name, Json()));
  const Json extra = config.value(kExtra, Json());
  if (extra.is_array()) std::ranges::for_each(extra, add);
  return texts;
}

}  // namespace

// A text, or an object with "content" and flags. `where` is the file and the key. Special whatever
// its flag says, but for an object of transformers' own kind, which is taken at its word.
TokenizerConfig::Stated TokenizerConfig::read_stated_token(const Json& value,
                                                           const std::string& where) {
  if (value.is_string()) return {.token = {.content = value, .special = true}, .is_text = true};
  if (!value.is_object() || !value.contains("content")) {
    throw FormatError(
        fmt::format("{} is no token: expected a text or an object with \"content\"", where));
  }
  Json token = value;
  if (!is_typed(value)) token["special"] = true;
  return {.token = read_added_token(token, where), .is_text = false};
}

TokenizerConfig TokenizerConfig::load(const std::filesystem::path& directory) {
  const auto file = directory / "tokenizer_config.json";
  const auto map = directory / "special_tokens_map.json";
  const auto older = directory / "added_tokens.json";
  TokenizerConfig out;
  std::string source = file.string();
  Json config = read_tokenizer_config(directory);
  if (!config.is_object()) throw FormatError(source + ": expected a JSON object");
  rename_older_list(config);
  Json own = take_own_tokens(config, source);
  out.has_decoder_ = config.contains(kDecoder);
  if (out.has_decoder_) {
    out.read_decoder(config.at(kDecoder), source);
  } else {
    merge_special_tokens_map(config, own, read_object(map));
    if (is_there(map)) source = fmt::format("{} or {}", map.string(), file.filename().string());
    out.read_older_tokens(read_object(older), older.string(), special_texts(config));
  }
  if (!config.contains(kExtra)) rename_older_list(config);
  out.read_named_tokens(config, own, source);
  out.read_extra_tokens(config.value(kExtra, Json()), source);
  out.splits_special_tokens_ = config.value("split_special_tokens", Json()) == Json(true);
  return out;
}

void TokenizerConfig::read_named_tokens(const Json& config, const Json& own,
                                        const std::string& file) {
  Json named = Json::object();
  for (const char* name : kNames) named[name] = config.value(name, Json());
  for (const auto& [name, value] : config.items()) {
    if (is_own_token(name, value)) named[name] = value;
  }
  named.update(own);
  for (const auto& [name, value] : named.items()) {
    if (value.is_null()) continue;
    const std::string where = fmt::format("{}: {}", file, in_quotes(name));
    named_.push_back({.name = name,
                      .stated = read_stated_token(value, where),
                      .as_listed = is_standard(name) && !own.contains(name)});
  }
  names_pad_token_ = config.contains("pad_token") || own.contains("pad_token");
}

void TokenizerConfig::read_extra_tokens(const Json& extra, const std::string& file) {
  if (extra.is_null()) return;
  if (!extra.is_array()) {
    throw FormatError(
        fmt::format("{}: \"{}\" is neither a list of tokens nor an object of tokens "
                    "by name",
                    file, kExtra));
  }
  const std::string where = fmt::format("{}: an entry of \"{}\"", file, kExtra);
  for (const Json& value : extra) extra_.push_back(read_stated_token(value, where));
}

void TokenizerConfig::read_decoder(const Json& decoder, const std::string& file) {
  const std::string where = fmt::format("{}: \"{}\"", file, kDecoder);
  if (!decoder.is_object()) throw FormatError(where + " is not an object");
  for (const auto& [key, value] : decoder.items()) {
    const std::int32_t id = parse_id(key, where);
    listed_.push_back(read_added_token(value, fmt::format("{} {}", where, key)));
    listed_.back().id = id;
  }
}

void TokenizerConfig::read_older_tokens(const Json& tokens, const std::string& file,
                                        const std::vector<std::string>& special_texts) {
  for (const auto& [content, id] : tokens.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0x3FFFFFFF) {
      throw FormatError(
          fmt::format("{}: the id of {} is not an integer from 0", file, in_quotes(content)));
    }
    const bool special = std::ranges::count(special_texts, content) > 0;
    listed_.push_back({.id = id, .content = content, .normalized = !special, .special = special});
  }
}

std::vector<TokenizerConfig::Named> TokenizerConfig::named_tokens(
    const nlohmann::json& padding) const {
  std::vector<Named> named = named_;
  if (names_pad_token_ || !padding.is_object() || !padding.contains("pad_token")) return named;
  named.push_back(
      {.name = "pad_token",
       .stated = read_stated_token(padding.at("pad_token"), "tokenizer: padding \"pad_token\""),
       .as_listed = false});
  std::ranges::stable_sort(named, {}, [](const Named& token) {
    return std::ranges::find(kNames, token.name) - kNames.begin();  // those of others last
  });
  return named;
}

Json TokenizerConfig::special_tokens(const nlohmann::json& padding) const {
  Json out = Json::object();
  for (const Named& named : named_tokens(padding)) out[named.name] = named.stated.token.content;
  return out;
}

std::vector<AddedToken> TokenizerConfig::added_tokens(
    const std::vector<AddedToken>& in_tokenizer_json, const nlohmann::json& padding) const {
  std::vector<AddedToken> listed = listed_;
  if (!has_decoder_) {  // the tokens of tokenizer.json count as listed here too
    listed.insert(listed.end(), in_tokenizer_json.begin(), in_tokenizer_json.end());
  }
  std::vector<Stated> stated;
  std::set<std::string> names;
  for (const Named& named : named_tokens(padding)) {
    const std::string& content = named.stated.token.content;
    const AddedToken* last = named.as_listed ? last_of_text(content, listed) : nullptr;
    stated.push_back(last ? Stated{.token = *last, .is_text = false} : named.stated);
    names.insert(content);
  }
  stated.insert(stated.end(), extra_.begin(), extra_.end());

  const std::vector<AddedToken> by_id = last_of_each_id(listed);
  std::vector<AddedToken> added = by_id;
  for (auto token = stated.begin(); token != stated.end(); ++token) {
    const std::string& content = token->token.content;
    const bool there = holds(in_tokenizer_json, content) || holds(by_id, content);
    // Of several statements of a new token, the one that is made first the latest counts.
    if (!there && std::find(stated.begin(), token, *token) == token) added.push_back(token->token);
  }
  for (AddedToken& token : added) token.special |= names.contains(token.content);
  return added;
}

}  // namespace gladius::text
