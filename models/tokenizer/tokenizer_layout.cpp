#include "gladius/models/tokenizer/tokenizer_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/models/tokenizer/byte_level.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kSpace[] = "\u2581";
constexpr std::size_t kLlamaTokens = 3;

void add_special(TokenizerLayout& layout, const std::string& token) {
  if (token.empty()) throw ConfigError("tokenizer: a special token is empty");
  if (std::ranges::find(layout.byte_tokens, token) != layout.byte_tokens.end()) {
    throw ConfigError(fmt::format("tokenizer: {} is a byte's token and cannot be special", token));
  }
  if (utf8::find_invalid(token) != std::string::npos) {
    throw ConfigError("tokenizer: a special token is not UTF-8");
  }
  auto& tokens = layout.special_tokens;
  if (std::ranges::find(tokens, token) == tokens.end()) tokens.push_back(token);
}

Json replace(const Json& pattern, const char* content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}

Json split_at(const Json& pattern, const char* behavior) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", false}};
}

Json byte_level(bool trim_offsets, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", trim_offsets},
          {"use_regex", use_regex}};
}

TokenizerLayout llama_layout(const std::string& split) {
  TokenizerLayout layout{.kind = TokenizerKind::llama,
                         .special_tokens = {"<unk>", "<s>", "</s>"},
                         .byte_tokens = {},
                         .alphabet = kSpace,
                         .names = {{"bos_token", "<s>"},
                                   {"eos_token", "</s>"},
                                   {"pad_token", "</s>"},
                                   {"unk_token", "<unk>"}},
                         .normalizer = {{"type", "Sequence"}},
                         .pre_tokenizer = {}};
  for (int byte = 0; byte < 256; ++byte) {
    layout.byte_tokens.push_back(fmt::format("<0x{:02X}>", byte));
  }
  layout.normalizer["normalizers"] = Json::array(
      {Json{{"type", "Prepend"}, {"prepend", kSpace}}, replace({{"String", " "}}, kSpace)});
  layout.pre_tokenizer = split.empty() ? split_at({{"String", kSpace}}, "MergedWithNext")
                                       : split_at({{"Regex", split}}, "Isolated");
  return layout;
}

TokenizerLayout byte_level_layout(const std::string& split) {
  TokenizerLayout layout{.kind = TokenizerKind::byte_level,
                         .special_tokens = {"<|endoftext|>"},
                         .byte_tokens = {},
                         .alphabet = byte_level_alphabet(),
                         .names = {{"eos_token", "<|endoftext|>"}, {"pad_token", "<|endoftext|>"}},
                         .normalizer = {},
                         .pre_tokenizer = byte_level(true, true)};
  if (!split.empty()) {
    layout.pre_tokenizer = {{"type", "Sequence"},
                            {"pretokenizers", Json::array({split_at({{"Regex", split}}, "Isolated"),
                                                           byte_level(true, false)})}};
  }
  return layout;
}

Json added_token(const std::string& content) {
  return {{"content", content},
          {"lstrip", false},
          {"normalized", false},
          {"rstrip", false},
          {"single_word", false}};
}

// Their ids: Llama's byte tokens stand behind the first three.
std::size_t id_of_special(const TokenizerLayout& layout, std::size_t number) {
  return number < kLlamaTokens ? number : number + layout.byte_tokens.size();
}

Json special_tokens_by_id(const TokenizerLayout& layout) {
  Json tokens = Json::object();
  for (std::size_t i = 0; i < layout.special_tokens.size(); ++i) {
    Json& token = tokens[std::to_string(id_of_special(layout, i))];
    token = added_token(layout.special_tokens[i]);
    token["special"] = true;
  }
  return tokens;
}

Json post_processor(const TokenizerLayout& layout) {
  if (layout.kind == TokenizerKind::byte_level) return byte_level(false, true);
  const Json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const Json second_bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 1}}}};
  const Json first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  Json tokens;
  tokens["<s>"] = {{"id", "<s>"}, {"ids", Json::array({1})}, {"tokens", Json::array({"<s>"})}};
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({bos, first})},
          {"pair", Json::array({bos, first, second_bos, second})},
          {"special_tokens", tokens}};
}

Json decoder(const TokenizerLayout& layout) {
  if (layout.kind == TokenizerKind::byte_level) return byte_level(true, true);
  return {{"type", "Sequence"},
          {"decoders",
           Json::array({replace({{"String", kSpace}}, " "), Json{{"type", "ByteFallback"}},
                        Json{{"type", "Fuse"}},
                        Json{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}})}};
}

Json model(const TokenizerLayout& layout, const BpeVocabulary& vocabulary) {
  const bool llama = layout.kind == TokenizerKind::llama;
  Json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", llama ? Json("<unk>") : Json()},
                {"continuing_subword_prefix", nullptr},
                {"end_of_word_suffix", nullptr},
                {"fuse_unk", llama},
                {"byte_fallback", llama}};
  // Object members of an ordered_json are searched one by one when they are set by name.
  Json::object_t ids;
  ids.reserve(vocabulary.tokens.size());
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    static_cast<std::vector<std::pair<const std::string, Json>>&>(ids).emplace_back(
        vocabulary.tokens[id], id);
  }
  model["vocab"] = std::move(ids);
  Json& merges = model["merges"] = Json::array();
  for (const auto& [left, right] : vocabulary.merges) {
    merges.push_back(fmt::format("{} {}", vocabulary.tokens[static_cast<std::size_t>(left)],
                                 vocabulary.tokens[static_cast<std::size_t>(right)]));
  }
  return model;
}

}  // namespace

TokenizerLayout tokenizer_layout(TokenizerKind kind, const std::vector<std::string>& more,
                                 const std::string& eos_token, const std::string& split) {
  TokenizerLayout layout =
      kind == TokenizerKind::llama ? llama_layout(split) : byte_level_layout(split);
  for (const std::string& token : more) add_special(layout, token);
  if (!eos_token.empty()) {
    add_special(layout, eos_token);
    layout.names["eos_token"] = eos_token;
  }
  return layout;
}

std::vector<std::string> first_tokens(const TokenizerLayout& layout) {
  std::vector<std::string> tokens = layout.special_tokens;
  const std::size_t own = std::min(kLlamaTokens, tokens.size());
  tokens.insert(tokens.begin() + static_cast<std::ptrdiff_t>(own), layout.byte_tokens.begin(),
                layout.byte_tokens.end());
  return tokens;
}

Json tokenizer_json(const TokenizerLayout& layout, const BpeVocabulary& vocabulary) {
  Json added = Json::array();
  const Json tokens = special_tokens_by_id(layout);
  for (const auto& [id, token] : tokens.items()) {
    Json entry = {{"id", std::stoi(id)}};
    entry.update(token);
    added.push_back(std::move(entry));
  }
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", layout.normalizer},
          {"pre_tokenizer", layout.pre_tokenizer},
          {"post_processor", post_processor(layout)},
          {"decoder", decoder(layout)},
          {"model", model(layout, vocabulary)}};
}

Json tokenizer_config_json(const TokenizerLayout& layout) {
  nlohmann::json config = layout.names;  // keys in order, as transformers writes them
  config["added_tokens_decoder"] = special_tokens_by_id(layout);
  config["clean_up_tokenization_spaces"] = false;
  config["padding_side"] = "right";
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  return config;
}

Json special_tokens_map_json(const TokenizerLayout& layout) {
  Json map = Json::object();
  for (const auto& [name, token] : layout.names.items()) {
    map[name] = added_token(token.get<std::string>());
  }
  return map;
}

}  // namespace gladius::text
