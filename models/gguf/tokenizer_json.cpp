#include "gladius/models/gguf/tokenizer_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "gladius/models/gguf/pre_tokenizers.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/utf8.h"

namespace gladius::gguf {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kModel = "tokenizer.ggml.model";
constexpr char kSpace[] = "\u2581";

enum TokenKind : std::int64_t { normal = 1, unknown, control, user_defined, unused, byte };

// The entries of the vocabulary by id.
struct Vocabulary {
  std::vector<std::string_view> tokens;
  std::vector<TokenKind> kinds;
  std::unordered_map<std::string_view, std::size_t> ids;
};

[[noreturn]] void fail(const File& file, const std::string& what) {
  throw FormatError(fmt::format("{}: {}", file.path().string(), what));
}

template <class T>
const std::vector<T>* list_of_tokens(const File& file, const char* key, std::size_t size) {
  const auto* list = file.array<std::vector<T>>(key);
  if (list && list->size() != size) {
    fail(file,
         fmt::format("key {} has {} elements for {} tokens", in_quotes(key), list->size(), size));
  }
  return list;
}

Vocabulary read_vocabulary(const File& file) {
  constexpr const char* kTokens = "tokenizer.ggml.tokens";
  constexpr const char* kKinds = "tokenizer.ggml.token_type";
  const auto* tokens = file.array<std::vector<std::string_view>>(kTokens);
  if (!tokens || tokens->empty()) file.fail(kTokens, "is missing or empty");
  Vocabulary vocabulary{.tokens = *tokens, .kinds = {}, .ids = {}};
  vocabulary.kinds.assign(tokens->size(), normal);
  if (const auto* kinds = list_of_tokens<std::int64_t>(file, kKinds, tokens->size())) {
    for (std::size_t id = 0; id < kinds->size(); ++id) {
      const std::int64_t kind = (*kinds)[id];
      if (kind < normal || kind > byte) {
        fail(file, fmt::format("token {} is of the unknown type {}", id, kind));
      }
      vocabulary.kinds[id] = static_cast<TokenKind>(kind);
    }
  }
  for (std::size_t id = 0; id < tokens->size(); ++id) {
    const std::string_view token = (*tokens)[id];
    if (token.empty()) fail(file, fmt::format("token {} is empty", id));
    if (utf8::find_invalid(token) != token.npos) {
      fail(file, fmt::format("token {} {} is not UTF-8", id, in_quotes(token)));
    }
    const auto [known, is_new] = vocabulary.ids.emplace(token, id);
    if (!is_new) {
      fail(file, fmt::format("tokens {} and {} are both {}", known->second, id, in_quotes(token)));
    }
  }
  return vocabulary;
}

// The token under a key such as "tokenizer.ggml.bos_token_id", if the file names one.
std::optional<std::string> named_token(const File& file, const Vocabulary& vocabulary,
                                       const char* name) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  const auto id = file.integer(key);
  if (!id) return {};
  if (*id < 0 || static_cast<std::size_t>(*id) >= vocabulary.tokens.size()) {
    fail(file, fmt::format("key {} is {}, but there are {} tokens", in_quotes(key), *id,
                           vocabulary.tokens.size()));
  }
  return std::string(vocabulary.tokens[static_cast<std::size_t>(*id)]);
}

// Components -----------------------------------------------------------------------------------

Json added_tokens(const Vocabulary& vocabulary) {
  Json list = Json::array();
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const TokenKind kind = vocabulary.kinds[id];
    if (kind != control && kind != user_defined && kind != unknown) continue;
    list.push_back({{"id", id},
                    {"content", vocabulary.tokens[id]},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", kind != user_defined}});
  }
  return list;
}

Json vocab_json(const Vocabulary& vocabulary) {
  // Members of an ordered_json are searched one by one when they are set by name.
  Json::object_t ids;
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (vocabulary.kinds[id] == unused) continue;  // rows that fill the matrix up
    static_cast<std::vector<std::pair<const std::string, Json>>&>(ids).emplace_back(
        vocabulary.tokens[id], id);
  }
  return ids;
}

Json special_piece(const std::string& token) {
  return {{"SpecialToken", {{"id", token}, {"type_id", 0}}}};
}

// Puts the first and the last token around a text; null where there are none.
Json post_processor(const File& file, const Vocabulary& vocabulary, bool adds_bos) {
  Json single = Json::array(), tokens = Json::object();
  const auto add = [&](const char* name) {
    const auto token = named_token(file, vocabulary, name);
    if (!token)
      fail(file, fmt::format("the tokenizer adds a token \"{}\" that is not named", name));
    single.push_back(special_piece(*token));
    tokens[*token] = {{"id", *token},
                      {"ids", Json::array({vocabulary.ids.at(*token)})},
                      {"tokens", Json::array({*token})}};
  };
  if (file.boolean("tokenizer.ggml.add_bos_token").value_or(adds_bos)) add("bos");
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  if (file.boolean("tokenizer.ggml.add_eos_token").value_or(false)) add("eos");
  if (tokens.empty()) return {};
  Json pair = single;
  for (const Json& piece : single) pair.push_back(piece);
  pair[single.size() + (single[0].contains("Sequence") ? 0 : 1)]["Sequence"]["id"] = "B";
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", tokens}};
}

Json document(const Vocabulary& vocabulary) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens(vocabulary)}};
}

Json bpe_model(const Vocabulary& vocabulary, Json merges, const Json& unknown_token) {
  const bool llama = !unknown_token.is_null();
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown_token},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", llama},
          {"byte_fallback", llama},
          {"ignore_merges", false},
          {"vocab", vocab_json(vocabulary)},
          {"merges", std::move(merges)}};
}

// Byte-level -----------------------------------------------------------------------------------

Json stored_merges(const File& file) {
  constexpr const char* kMerges = "tokenizer.ggml.merges";
  const auto* merges = file.array<std::vector<std::string_view>>(kMerges);
  if (!merges) return {};
  Json list = Json::array();
  for (std::size_t i = 0; i < merges->size(); ++i) {
    const std::string_view merge = (*merges)[i];
    const std::size_t space = merge.find(' ', 1);
    if (merge.empty() || space == merge.npos || space + 1 == merge.size() ||
        utf8::find_invalid(merge) != merge.npos) {
      fail(file,
           fmt::format("merge {} {} is not two tokens with a space between", i, in_quotes(merge)));
    }
    list.push_back(Json::array({merge.substr(0, space), merge.substr(space + 1)}));
  }
  return list;
}

Json byte_level_json(const File& file, const Vocabulary& vocabulary) {
  constexpr const char* kPre = "tokenizer.ggml.pre";
  const std::string name = file.text(kPre).value_or("default");
  const auto pre = find_pre_tokenizer(name);
  if (!pre) {
    file.fail(kPre, fmt::format("is {}, which is not supported (known: {})", in_quotes(name),
                                known_pre_tokenizers()));
  }
  Json merges = stored_merges(file);
  if (merges.is_null()) file.fail("tokenizer.ggml.merges", "is missing");
  const Json bytes = {{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", true},
                      {"use_regex", true}};
  Json root = document(vocabulary);
  root["normalizer"] = pre->normalizer;
  root["pre_tokenizer"] = pre->pre_tokenizer;
  root["post_processor"] = post_processor(file, vocabulary, pre->adds_bos);
  root["decoder"] = bytes;
  root["model"] = bpe_model(vocabulary, std::move(merges), nullptr);
  root["model"]["ignore_merges"] = pre->ignore_merges;
  return root;
}

// SentencePiece --------------------------------------------------------------------------------

// The pairs of tokens that make a token, in the order in which SentencePiece would merge them: by
// the score of what they make. As transformers derives them.
// The longest piece, in bytes, whose parts are looked for, which takes the square of its length:
// SentencePiece makes none of more than some dozen characters.
constexpr std::size_t kLongestPiece = 256;

Json derived_merges(const File& file, const Vocabulary& vocabulary) {
  const auto* scores =
      list_of_tokens<double>(file, "tokenizer.ggml.scores", vocabulary.tokens.size());
  if (!scores) file.fail("tokenizer.ggml.scores", "is missing");
  struct Merge {
    std::size_t left, right;
    double score;
  };
  std::vector<Merge> merges;
  const auto find = [&](std::string_view piece) {
    const auto found = vocabulary.ids.find(piece);
    return found != vocabulary.ids.end() && vocabulary.kinds[found->second] == normal
               ? std::optional(found->second)
               : std::nullopt;
  };
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string_view token = vocabulary.tokens[id];
    if (vocabulary.kinds[id] != normal || token.size() > kLongestPiece) continue;
    const std::size_t first = merges.size();
    for (std::size_t at = utf8::char_length(token[0]); at < token.size();
         at += utf8::char_length(token[at])) {
      const auto left = find(token.substr(0, at));
      const auto right = left ? find(token.substr(at)) : std::nullopt;
      if (right) merges.push_back({*left, *right, (*scores)[id]});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(),
              [](const Merge& a, const Merge& b) {
                return std::pair(a.left, a.right) < std::pair(b.left, b.right);
              });
  }
  std::ranges::stable_sort(merges, std::ranges::greater(), &Merge::score);
  Json list = Json::array();
  for (const Merge& merge : merges) {
    list.push_back(Json::array({vocabulary.tokens[merge.left], vocabulary.tokens[merge.right]}));
  }
  return list;
}

Json replace(const char* pattern, const char* content) {
  return {{"type", "Replace"}, {"pattern", {{"String", pattern}}}, {"content", content}};
}

Json llama_json(const File& file, const Vocabulary& vocabulary) {
  const bool prefix = file.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
  Json normalizers = Json::array();
  Json decoders =
      Json::array({replace(kSpace, " "), Json{{"type", "ByteFallback"}}, Json{{"type", "Fuse"}}});
  if (prefix) {
    normalizers.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  normalizers.push_back(replace(" ", kSpace));
  Json merges = stored_merges(file);
  if (merges.is_null()) merges = derived_merges(file, vocabulary);
  const auto unknown_token = named_token(file, vocabulary, "unknown");
  Json root = document(vocabulary);
  root["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(normalizers)}};
  root["pre_tokenizer"] = nullptr;
  root["post_processor"] = post_processor(file, vocabulary, /*adds_bos=*/true);
  root["decoder"] = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
  root["model"] = bpe_model(vocabulary, std::move(merges), unknown_token.value_or("<unk>"));
  return root;
}

// "chat_template" of tokenizer_config.json: the default alone, or a list of named ones.
Json chat_templates(const File& file) {
  constexpr const char* kTemplate = "tokenizer.chat_template";
  const auto main = file.text(kTemplate);
  Json list = Json::array();
  if (main) list.push_back({{"name", "default"}, {"template", *main}});
  const auto* names = file.array<std::vector<std::string_view>>("tokenizer.chat_templates");
  for (const std::string_view name : names ? *names : std::vector<std::string_view>()) {
    const auto text = file.text(fmt::format("{}.{}", kTemplate, name));
    if (text) list.push_back({{"name", name}, {"template", *text}});
  }
  if (list.empty()) return {};
  return list.size() == 1 && main ? Json(*main) : list;
}

}  // namespace

bool has_tokenizer(const File& file) { return file.text(kModel).value_or("none") != "none"; }

Json tokenizer_json(const File& file) {
  const auto kind = file.text(kModel);
  if (!kind) file.fail(kModel, "is missing: the file has no tokenizer");
  if (*kind != "gpt2" && *kind != "llama") {
    file.fail(kModel,
              fmt::format("is {}, which is not supported (known: llama, gpt2)", in_quotes(*kind)));
  }
  const Vocabulary vocabulary = read_vocabulary(file);
  return *kind == "gpt2" ? byte_level_json(file, vocabulary) : llama_json(file, vocabulary);
}

Json tokenizer_config_json(const File& file) {
  const Vocabulary vocabulary = read_vocabulary(file);
  Json config = Json::object();
  const auto name = [&](const char* key, const char* of_gguf) {
    if (const auto token = named_token(file, vocabulary, of_gguf)) config[key] = *token;
  };
  name("bos_token", "bos");
  name("eos_token", "eos");
  name("unk_token", "unknown");
  name("pad_token", "padding");
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  Json decoder = Json::object();
  for (Json token : added_tokens(vocabulary)) {
    const std::string id = std::to_string(token["id"].get<std::size_t>());
    token.erase("id");
    decoder[id] = std::move(token);
  }
  config["added_tokens_decoder"] = std::move(decoder);
  if (Json templates = chat_templates(file); !templates.is_null()) {
    config["chat_template"] = std::move(templates);
  }
  return config;
}

}  // namespace gladius::gguf
