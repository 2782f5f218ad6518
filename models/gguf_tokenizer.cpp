#include "gladius/models/gguf_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "gladius/models/chat_template/chat_templates.h"
#include "gladius/models/gguf/pre_tokenizers.h"
#include "gladius/models/tokenizer/bpe.h"
#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"

namespace gladius {
namespace {

using text::tokenizer_json::field_or;
using Document = nlohmann::json;  // members in any order are the same

constexpr char kSpace[] = "\u2581";

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw ConfigError(
      fmt::format("{}: the tokenizer cannot be written as GGUF: {}", path.string(), why));
}

// "left right", the earliest first.
std::vector<std::string> merges_of(const Document& model) {
  std::vector<std::string> merges;
  for (const Document& merge : model.at("merges")) {
    const auto [left, right] = text::parts_of_merge(merge, merges.size());
    merges.push_back(fmt::format("{} {}", left, right));
  }
  return merges;
}

// Whether a space is put before a text; nothing for components that are not SentencePiece's.
std::optional<bool> space_prefix(const Document& normalizer, const Document& pre_tokenizer) {
  const Document replace{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}};
  const Document prepend{{"type", "Prepend"}, {"prepend", kSpace}};
  const auto sequence = [](Document stages) {
    return Document{{"type", "Sequence"}, {"normalizers", std::move(stages)}};
  };
  const bool metaspace =
      pre_tokenizer.is_object() && pre_tokenizer.value("type", "") == "Metaspace";
  if (metaspace && normalizer.is_null() && pre_tokenizer.value("replacement", "") == kSpace) {
    return field_or(pre_tokenizer, "prepend_scheme", "Metaspace", std::string("always")) != "never";
  }
  const Document by_words{{"type", "Split"},
                          {"pattern", {{"String", kSpace}}},
                          {"behavior", "MergedWithNext"},
                          {"invert", false}};
  if (!pre_tokenizer.is_null() && pre_tokenizer != by_words) return {};
  if (normalizer == sequence(Document::array({prepend, replace}))) return true;
  if (normalizer == sequence(Document::array({replace})) || normalizer == replace) return false;
  return {};
}

bool is_byte(const std::string& token) {
  return token.size() == 6 && token.starts_with("<0x") && token.back() == '>';
}

// The entries of the vocabulary by id, with GGUF's number for what each is.
struct Entries {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> kinds;
};

Entries entries_of(const text::Tokenizer& tokenizer, std::int64_t vocab_size, bool llama,
                   std::int32_t unknown) {
  enum Kind : std::int32_t { normal = 1, unknown_token, control, user_defined, unused, byte };
  Entries entries;
  for (std::int32_t id = 0; id < vocab_size; ++id) {
    const std::string& token = tokenizer.id_to_token(id);
    const Kind kind = token.empty()              ? unused
                      : llama && id == unknown   ? unknown_token
                      : tokenizer.is_special(id) ? control
                      : tokenizer.is_added(id)   ? user_defined
                      : llama && is_byte(token)  ? byte
                                                 : normal;
    entries.tokens.push_back(token.empty() ? fmt::format("[PAD{}]", id) : token);
    entries.kinds.push_back(kind);
  }
  return entries;
}

// By which llama.cpp merges: the earlier a merge, the higher the score of what it makes.
std::vector<float> scores_of(const Entries& entries, const std::vector<std::string>& merges) {
  std::unordered_map<std::string, std::size_t> ranks;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    std::string whole = merges[i];
    ranks.try_emplace(whole.erase(whole.find(' '), 1), i);
  }
  std::vector<float> scores;
  for (std::size_t id = 0; id < entries.tokens.size(); ++id) {
    const auto rank = ranks.find(entries.tokens[id]);
    const bool is_normal = entries.kinds[id] == 1;
    scores.push_back(!is_normal            ? 0.0f
                     : rank == ranks.end() ? -static_cast<float>(merges.size() + 1)
                                           : -static_cast<float>(rank->second + 1));
  }
  return scores;
}

std::optional<std::int32_t> id_of(const text::Tokenizer& tokenizer, const char* name) {
  const auto& special = tokenizer.special_tokens();
  if (!special.contains(name)) return {};
  const std::int32_t id = tokenizer.token_to_id(special.at(name).get<std::string>());
  return id >= 0 ? std::optional(id) : std::nullopt;
}

void add_special_tokens(gguf::KeyWriter& keys, const std::filesystem::path& path,
                        const text::Tokenizer& tokenizer, const std::vector<std::int32_t>& ends) {
  const auto add = [&](const char* key, std::optional<std::int32_t> id) {
    if (id)
      keys.add(fmt::format("tokenizer.ggml.{}_token_id", key), static_cast<std::uint32_t>(*id));
  };
  auto eos = id_of(tokenizer, "eos_token");
  if (!eos && !ends.empty()) eos = ends.front();
  const auto bos = id_of(tokenizer, "bos_token");
  std::vector<std::int32_t> others;
  std::ranges::copy_if(ends, std::back_inserter(others),
                       [&](std::int32_t id) { return id != eos; });
  if (others.size() > 2) refuse(path, "generation ends at more than three tokens");
  add("bos", bos);
  add("eos", eos);
  if (!others.empty()) add("eot", others[0]);
  if (others.size() > 1) add("eom", others[1]);
  add("unknown", id_of(tokenizer, "unk_token"));
  add("padding", id_of(tokenizer, "pad_token"));
  // What is put around a text.
  const auto bare = tokenizer.encode("a", false), whole = tokenizer.encode("a", true);
  std::vector<std::int32_t> expected = bare;
  const bool adds_bos =
      bos && !whole.empty() && whole.front() == *bos && whole.size() > bare.size();
  if (adds_bos) expected.insert(expected.begin(), *bos);
  const bool adds_eos = eos && whole.size() == expected.size() + 1 && whole.back() == *eos;
  if (adds_eos) expected.push_back(*eos);
  if (whole != expected) refuse(path, "it puts other tokens around a text than bos and eos");
  keys.add("tokenizer.ggml.add_bos_token", adds_bos);
  keys.add("tokenizer.ggml.add_eos_token", adds_eos);
}

void add_templates(gguf::KeyWriter& keys, const std::filesystem::path& path) {
  constexpr const char* kKey = "tokenizer.chat_template";
  std::vector<std::string> names;
  for (const auto& [name, text] : text::ChatTemplates::load(path).texts()) {
    keys.add(name == "default" ? kKey : fmt::format("{}.{}", kKey, name), text);
    if (name != "default") names.push_back(name);
  }
  if (!names.empty()) keys.add("tokenizer.chat_templates", names);
}

}  // namespace

void add_tokenizer(gguf::KeyWriter& keys, const std::filesystem::path& path,
                   std::int64_t vocab_size, const std::vector<std::int32_t>& ends) {
  const text::Tokenizer tokenizer = text::Tokenizer::load(path);
  const auto root = text::read_tokenizer_json<Document>(path);
  const Document& model = root.at("model");
  const Document normalizer = root.value("normalizer", Document());
  const Document pre_tokenizer = root.value("pre_tokenizer", Document());
  if (tokenizer.vocab_size() > vocab_size) {
    refuse(path,
           fmt::format("it has {} entries, the model {}", tokenizer.vocab_size(), vocab_size));
  }
  const bool llama = field_or(model, "byte_fallback", "model", false);
  const auto prefix = llama ? space_prefix(normalizer, pre_tokenizer) : std::nullopt;
  const auto pre = llama ? std::nullopt : gguf::name_of_pre_tokenizer(normalizer, pre_tokenizer);
  if (!prefix && !pre) {
    refuse(path,
           fmt::format("its normalizer and pre_tokenizer are neither SentencePiece's nor those "
                       "that have a name (known: {})",
                       gguf::known_pre_tokenizers()));
  }
  if (pre && gguf::find_pre_tokenizer(*pre)->ignore_merges !=
                 field_or(model, "ignore_merges", "model", false)) {
    refuse(path, fmt::format("\"ignore_merges\" is not what {} implies", *pre));
  }
  keys.add("tokenizer.ggml.model", llama ? "llama" : "gpt2");
  keys.add("tokenizer.ggml.pre", pre.value_or("default"));
  const std::int32_t unknown = id_of(tokenizer, "unk_token").value_or(-1);
  const Entries entries = entries_of(tokenizer, vocab_size, llama, unknown);
  const std::vector<std::string> merges = merges_of(model);
  keys.add("tokenizer.ggml.tokens", entries.tokens);
  keys.add("tokenizer.ggml.token_type", entries.kinds);
  if (llama) {
    keys.add("tokenizer.ggml.scores", scores_of(entries, merges));
    keys.add("tokenizer.ggml.add_space_prefix", *prefix);
  }
  keys.add("tokenizer.ggml.merges", merges);
  add_special_tokens(keys, path, tokenizer, ends);
  add_templates(keys, path);
}

}  // namespace gladius
