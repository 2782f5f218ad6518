#include "gladius/models/gguf/pre_tokenizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gladius::gguf {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))";

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json split(const char* expression) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", expression}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

Json sequence(Json::array_t stages) {
  return {{"type", "Sequence"}, {"pretokenizers", std::move(stages)}};
}

Json split_bytes(const char* expression) {
  return sequence({split(expression), byte_level(false)});
}

Json digits_first() {
  return sequence({{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)});
}

// llama.cpp's expressions for a file that names none, one after another.
Json llama_cpp_default() {
  return sequence({split(R"([\p{P}\$\+<=>\^~\|]+)"), split(kGpt2), split(R"(\p{N}+)"),
                   split("[0-9][0-9][0-9]"), byte_level(false)});
}

struct Entry {
  const char* name;
  Json (*make)();
  bool nfc = false, ignore_merges = false, adds_bos = false;
};

const Entry kEntries[] = {
    {.name = "gpt-2", .make = [] { return byte_level(true); }},
    {.name = "smollm", .make = digits_first},
    {.name = "qwen2", .make = [] { return split_bytes(kQwen2); }, .nfc = true},
    {.name = "llama-bpe",
     .make = [] { return split_bytes(kLlama3); },
     .ignore_merges = true,
     .adds_bos = true},
    {.name = "default", .make = llama_cpp_default},
};

Json normalizer(const Entry& entry) { return entry.nfc ? Json{{"type", "NFC"}} : Json(); }

// Without what decides about offsets alone, members in the order of their names.
nlohmann::json essence(const Json& component) {
  nlohmann::json plain = component;
  if (!plain.is_object()) return plain;
  plain.erase("trim_offsets");
  if (plain.value("type", "") == "ByteLevel") plain["use_regex"] = plain.value("use_regex", true);
  if (plain.contains("pretokenizers") && plain["pretokenizers"].is_array()) {
    for (auto& stage : plain["pretokenizers"]) stage = essence(stage);
  }
  return plain;
}

}  // namespace

std::optional<PreTokenizer> find_pre_tokenizer(std::string_view name) {
  const auto found = std::ranges::find(kEntries, name, &Entry::name);
  if (found == std::end(kEntries)) return {};
  return PreTokenizer{.normalizer = normalizer(*found),
                      .pre_tokenizer = found->make(),
                      .ignore_merges = found->ignore_merges,
                      .adds_bos = found->adds_bos};
}

std::string known_pre_tokenizers() {
  std::string names;
  for (const Entry& entry : kEntries) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
  }
  return names;
}

std::optional<std::string> name_of_pre_tokenizer(const Json& of_normalizer,
                                                 const Json& pre_tokenizer) {
  const auto found = std::ranges::find_if(kEntries, [&](const Entry& entry) {
    return essence(normalizer(entry)) == essence(of_normalizer) &&
           essence(entry.make()) == essence(pre_tokenizer);
  });
  if (found == std::end(kEntries)) return {};
  return found->name;
}

}  // namespace gladius::gguf
