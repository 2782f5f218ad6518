#include "gladius/models/tokenizer/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "gladius/models/tokenizer/added_tokens.h"
#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/text_file.h"

namespace gladius::text {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Difference = std::optional<TokenizerDifference>;

// White space, numbers, case, marks, scripts, punctuation: where normalizers and pre-tokenizers
// differ.
constexpr const char* kSamples[] = {
    "Hello, world",
    " leading and trailing ",
    "two  three   four    spaces",
    "\n\nlines\r\n\ttabs \n \n end",
    "1 12 123 1234567890 3.14 1,000 x2y3",
    "it's we'll I'VE don't 'quoted' \"double\"",
    "camelCase snake_case UPPER lower MiXeD",
    "a+b=c; f(x)[0] != {y}; // comment #1 @me $5 50%",
    "http://example.org/a?b=c&d=e",
    "caf\u00e9 cafe\u0301 na\u00efve \u00c5ngstr\u00f6m A\u030a \u1e9b\u0323",
    "\ufb01ne \u2460 \uff21\uff22 \u00bd \u2126 \u212b",
    "\u4f60\u597d\uff0c\u4e16\u754c \u3053\u3093\u306b\u3061\u306f \ud55c\uad6d\uc5b4",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947",
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u0399\u03a3\u03a3\u03a3 \u0130stanbul \u00df",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2026 \u2014 \u00a0\u2003x",
    "\u2581marks \u0120 <0x41> <s> </s>",
};

std::string shown(const std::optional<std::string>& bytes) {
  return bytes ? in_quotes(*bytes) : "missing";
}

Difference compare_entries(const TokenBytes& a, const TokenBytes& b) {
  const std::int64_t size = std::max(a.tokenizer().vocab_size(), b.tokenizer().vocab_size());
  for (std::int64_t id = 0; id < size; ++id) {
    const auto first = a[id], second = b[id];
    if (first != second) return {{fmt::format("token {}", id), shown(first), shown(second)}};
  }
  return {};
}

// "a b" in files of older versions, ["a", "b"] in newer ones.
std::pair<std::string, std::string> merge_of(const Json& entry) {
  if (entry.is_array() && entry.size() == 2) {
    return {entry[0].get<std::string>(), entry[1].get<std::string>()};
  }
  const auto text = entry.get<std::string>();
  const std::size_t space = text.find(' ');
  return {text.substr(0, space), space == std::string::npos ? "" : text.substr(space + 1)};
}

std::optional<std::string> merge_text(const Json& merges, std::size_t i) {
  if (i >= merges.size()) return {};
  const auto [left, right] = merge_of(merges[i]);
  return left + " " + right;
}

Difference compare_merges(const Json& a, const Json& b) {
  const std::size_t common = std::min(a.size(), b.size());
  std::size_t i = 0;
  while (i < common && merge_of(a[i]) == merge_of(b[i])) ++i;
  if (i == a.size() && i == b.size()) return {};
  return {{fmt::format("merge {}", i), shown(merge_text(a, i)), shown(merge_text(b, i))}};
}

// Null and what it stands for are the same.
Json setting(const Json& model, const char* name) {
  const Json value = model.value(name, Json());
  return value == false || value == "" ? Json() : value;
}

Difference compare_settings(const Json& a, const Json& b) {
  for (const char* name : {"unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                           "fuse_unk", "byte_fallback", "ignore_merges"}) {
    const Json first = setting(a, name), second = setting(b, name);
    if (first != second) return {{fmt::format("\"{}\"", name), first.dump(), second.dump()}};
  }
  return {};
}

// How added tokens are found in a text.
Json rules_of_added_tokens(const Json& root) {
  Json rules = Json::array();
  for (const AddedToken& token : read_added_tokens(root.value("added_tokens", Json()))) {
    rules.push_back({token.id, token.single_word, token.lstrip, token.rstrip, token.normalized});
  }
  return rules;
}

// What in the files decides how a text is cut, and is written differently.
std::vector<std::string> differently_written(const Json& a, const Json& b) {
  std::vector<std::string> names;
  for (const char* name : {"normalizer", "pre_tokenizer"}) {
    if (a.value(name, Json()) != b.value(name, Json())) names.emplace_back(name);
  }
  if (rules_of_added_tokens(a) != rules_of_added_tokens(b)) names.emplace_back("added_tokens");
  return names;
}

// The fixed ones, texts of the vocabulary's own entries, and added tokens within text.
std::vector<std::string> sample_texts(const TokenBytes& entries, const Json& root) {
  std::vector<std::string> texts(std::begin(kSamples), std::end(kSamples));
  constexpr std::int64_t kEntries = 4000, kEntriesAText = 20;
  const std::int64_t size = entries.tokenizer().vocab_size();
  const std::int64_t stride = std::max<std::int64_t>(1, size / kEntries);
  std::string text;
  for (std::int64_t id = 0, n = 1; id < size; id += stride, ++n) {
    text += entries[id].value_or("");
    if (n % kEntriesAText == 0) texts.push_back(std::exchange(text, {}));
  }
  texts.push_back(text);
  for (const AddedToken& token : read_added_tokens(root.value("added_tokens", Json()))) {
    for (const char* form : {"a{}b", "a {} b", "{}{}"}) {
      texts.push_back(fmt::format(fmt::runtime(form), token.content, token.content));
    }
  }
  return texts;
}

Difference compare_ids(const TokenBytes& a, const TokenBytes& b,
                       const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    const auto first = a.tokenizer().encode(text, false),
               second = b.tokenizer().encode(text, false);
    if (first == second) continue;
    const auto ids = [](const std::vector<std::int32_t>& list) {
      const auto some = std::span(list).first(std::min<std::size_t>(list.size(), 8));
      return fmt::format("[{}{}]", fmt::join(some, ", "), list.size() > 8 ? ", ..." : "");
    };
    return {{"the text " + shown(text), ids(first), ids(second)}};
  }
  return {};
}

bool same_bytes(const fs::path& a, const fs::path& b) {
  const bool there = fs::exists(a);
  return there == fs::exists(b) && (!there || read_text_file(a) == read_text_file(b));
}

// Of two directories; GGUF files are compared by what they say.
bool same_files(const fs::path& first, const fs::path& second) {
  return fs::is_directory(first) && fs::is_directory(second) &&
         std::ranges::all_of(
             std::initializer_list<const char*>{"tokenizer.json", "tokenizer_config.json"},
             [&](const char* name) { return same_bytes(first / name, second / name); });
}

Json model_of(const Json& root, const char* name) {
  const Json model = root.value("model", Json::object());
  return model.is_object() ? model.value(name, Json::array()) : Json::array();
}

}  // namespace

TokenizerComparison compare_tokenizers(const fs::path& first, const fs::path& second) {
  if (same_files(first, second)) return {};
  const auto file_a = read_tokenizer_json<Json>(first);
  const auto file_b = read_tokenizer_json<Json>(second);
  const TokenBytes a(first, file_a), b(second, file_b);
  if (auto found = compare_entries(a, b)) return {.difference = std::move(found), .note = ""};
  if (auto found = compare_merges(model_of(file_a, "merges"), model_of(file_b, "merges"))) {
    return {.difference = std::move(found), .note = ""};
  }
  if (auto found = compare_settings(file_a.at("model"), file_b.at("model"))) {
    return {.difference = std::move(found), .note = ""};
  }
  const std::vector<std::string> names = differently_written(file_a, file_b);
  if (names.empty()) return {};
  const std::vector<std::string> texts = sample_texts(a, file_a);
  if (auto found = compare_ids(a, b, texts)) return {.difference = std::move(found), .note = ""};
  return {
      .difference = {},
      .note = fmt::format("{} is written differently in {} and {}, but {} sample texts have the "
                          "same ids in both",
                          fmt::join(names, ", "), first.string(), second.string(), texts.size())};
}

std::int64_t count_shared_entries(const fs::path& first, const fs::path& second,
                                  std::int64_t count) {
  const TokenBytes a(first), b(second);
  std::int64_t shared = 0;
  for (std::int64_t id = 0; id < count; ++id) {
    const auto bytes = a[id];
    shared += bytes && bytes == b[id] ? 1 : 0;
  }
  return shared;
}

}  // namespace gladius::text
