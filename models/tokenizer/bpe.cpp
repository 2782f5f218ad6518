#include "gladius/models/tokenizer/bpe.h"

#include <algorithm>
#include <utility>

#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::text {
namespace {

using tokenizer_json::field;
using tokenizer_json::field_or;
using tokenizer_json::Json;

constexpr char kRole[] = "model BPE";

char32_t first_character(std::string_view text) { return utf8::code_point(text, 0); }

char32_t last_character(std::string_view text) {
  return utf8::code_point(text, utf8::character_before(text, text.size()));
}

const Json& member(const Json& model, const char* name) {
  if (!model.contains(name)) {
    throw FormatError(fmt::format("tokenizer: {} has no \"{}\"", kRole, name));
  }
  return model.at(name);
}

}  // namespace

std::pair<std::string_view, std::string_view> parts_of_merge(const Json& merge, std::size_t index) {
  const auto text_of = [](const Json& json) -> std::string_view {
    return json.get_ref<const std::string&>();
  };
  if (merge.is_string()) {
    const std::string_view text = text_of(merge);
    const std::size_t space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string()) {
    return {text_of(merge[0]), text_of(merge[1])};
  }
  throw FormatError(fmt::format("tokenizer: {}: merge {} is not a pair of tokens", kRole, index));
}

Bpe::Bpe(const Json& model) {
  // Files older than tokenizers 0.9 leave the type out.
  const auto type = field_or<std::string>(model, "type", "model", "BPE");
  if (type != "BPE") tokenizer_json::refuse("model", type);
  if (field_or(model, "dropout", kRole, 0.0) != 0.0) tokenizer_json::refuse(kRole, "dropout");
  prefix_ = field_or<std::string>(model, "continuing_subword_prefix", kRole, "");
  suffix_ = field_or<std::string>(model, "end_of_word_suffix", kRole, "");
  fuse_unk_ = field_or(model, "fuse_unk", kRole, false);
  byte_fallback_ = field_or(model, "byte_fallback", kRole, false);
  ignore_merges_ = field_or(model, "ignore_merges", kRole, false);
  if (byte_fallback_ && marks_places()) {
    tokenizer_json::refuse(kRole, "byte_fallback with a prefix or suffix");
  }
  read_vocab(member(model, "vocab"));
  unk_token_ = field_or<std::string>(model, "unk_token", kRole, "");
  unk_ = vocab_.find(unk_token_);
  byte_ids_.resize(256);
  for (int byte = 0; byte < 256; ++byte)
    byte_ids_[byte] = vocab_.find(fmt::format("<0x{:02X}>", byte));
  bytes_stand_alone_ = byte_fallback_ && std::ranges::find(byte_ids_, -1) == byte_ids_.end();
  read_merges(member(model, "merges"));
}

void Bpe::read_vocab(const Json& vocab) {
  if (!vocab.is_object()) throw FormatError("tokenizer: model BPE: \"vocab\" is not an object");
  vocab_ = TokenIds(vocab.size());
  for (const auto& [token, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0x3FFFFFFF) {
      throw FormatError(fmt::format("tokenizer: {}: the id of {} is not an integer from 0", kRole,
                                    in_quotes(token)));
    }
    vocab_.add(token, id.get<std::int32_t>());
    if (!token.empty() && utf8::char_length(token[0]) == token.size()) {
      characters_.set(first_character(token), id.get<std::int32_t>());
    }
  }
}

void Bpe::read_merges(const Json& merges) {
  if (!merges.is_array()) throw FormatError("tokenizer: model BPE: \"merges\" is not a list");
  merges_ = FlatMap<Merge>(merges.size());
  merged_.reserve(merges.size());
  std::string joined;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto [left, right] = parts_of_merge(merges[i], i);
    // The right part goes on with the word: its prefix ends there.
    const std::size_t cut = std::min(prefix_.size(), right.size());
    joined.assign(left).append(right.substr(cut));
    const std::int32_t a = vocab_.find(left), b = vocab_.find(right), merged = vocab_.find(joined);
    if (a < 0 || b < 0 || merged < 0 || left.empty() || right.empty()) {
      throw FormatError(
          fmt::format("tokenizer: {}: merge {} ({}, {}) has tokens that are not in the vocabulary",
                      kRole, i, in_quotes(left), in_quotes(right)));
    }
    // A pair listed twice has the later rank, as in the reference.
    merges_.set(pair_key(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)),
                {static_cast<std::uint32_t>(i), merged});
    merged_.push_back(merged);
    // Tokens grow at their ends only: a merge ever joins the last character of its left part to the
    // first of its right part.
    joinable_.set(pair_key(last_character(left), first_character(right)), true);
    bytes_stand_alone_ &= !left.starts_with("<0x") && !right.starts_with("<0x");
  }
}

std::int32_t Bpe::find_character(std::string_view character) const {
  const std::int32_t* id = characters_.find(first_character(character));
  return id ? *id : -1;
}

// Characters that are not in the vocabulary join nothing if they are bytes; else they may be fused
// into one unknown token.
bool Bpe::joinable(std::string_view left, std::string_view right) const {
  if (find_character(left) < 0 || find_character(right) < 0) return !bytes_stand_alone_;
  return joinable_.find(pair_key(first_character(left), first_character(right))) != nullptr;
}

void Bpe::encode(std::string_view word, WordCache& cache, std::vector<WordToken>& tokens) const {
  if (word.size() > 0x7FFFFFFF) {
    throw Error("tokenizer: a word is over 2 GiB long; encode the text in parts");
  }
  constexpr std::size_t kShort = 24;
  // With ignore_merges a word that is a token stays whole; its parts would not be words, nor would
  // they have the prefix and suffix of their places.
  if (word.size() <= kShort || ignore_merges_ || marks_places()) {
    return encode_part(word, cache, tokens);
  }
  std::size_t begin = 0, previous = 0;
  for (std::size_t pos = utf8::char_length(word[0]); pos < word.size();) {
    const std::size_t length = utf8::char_length(word[pos]);
    if (!joinable(word.substr(previous, pos - previous), word.substr(pos, length))) {
      encode_part(word.substr(begin, pos - begin), cache, tokens);
      begin = pos;
    }
    previous = pos;
    pos += length;
  }
  encode_part(word.substr(begin), cache, tokens);
}

void Bpe::encode_part(std::string_view part, WordCache& cache,
                      std::vector<WordToken>& tokens) const {
  const bool cached = part.size() <= WordCache::kLongestWord;
  const std::size_t hash = cached ? WordCache::hash(part) : 0;
  if (cached) {
    if (const auto known = cache.find(part, hash); !known.empty()) {
      tokens.insert(tokens.end(), known.begin(), known.end());
      return;
    }
  }
  const std::size_t begin = tokens.size();
  const std::int32_t whole = ignore_merges_ ? vocab_.find(part) : -1;
  if (whole >= 0) {
    tokens.push_back({whole, static_cast<std::uint32_t>(part.size())});
  } else {
    constexpr std::size_t kFewSymbols = 64;
    split_into_symbols(part, tokens);
    tokens.size() - begin <= kFewSymbols ? merge_short(tokens, begin) : merge_long(tokens, begin);
  }
  if (cached) cache.add(part, hash, std::span(tokens).subspan(begin));
}

// The text by which a character of a word is looked up.
std::string_view Bpe::symbol_at(std::string_view word, std::size_t pos, std::string& buffer) const {
  const std::string_view character = word.substr(pos, utf8::char_length(word[pos]));
  if (!marks_places()) return character;
  buffer = pos == 0 ? "" : prefix_;
  buffer += character;
  if (pos + character.size() == word.size()) buffer += suffix_;
  return buffer;
}

std::int32_t Bpe::find_symbol(std::string_view symbol) const {
  return marks_places() ? vocab_.find(symbol) : find_character(symbol);
}

void Bpe::split_into_symbols(std::string_view word, std::vector<WordToken>& symbols) const {
  std::uint32_t unknown = 0;  // bytes of the unknown token that is not put out yet
  const auto flush_unk = [&] {
    if (unknown > 0) symbols.push_back({unk_, unknown});
    unknown = 0;
  };
  std::string buffer;
  for (std::size_t pos = 0, length; pos < word.size(); pos += length) {
    length = utf8::char_length(word[pos]);
    const std::string_view symbol = symbol_at(word, pos, buffer);
    if (const std::int32_t id = find_symbol(symbol); id >= 0) {
      flush_unk();
      symbols.push_back({id, static_cast<std::uint32_t>(length)});
      continue;
    }
    const auto byte_id = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
    if (byte_fallback_ && std::ranges::all_of(symbol, [&](char c) { return byte_id(c) >= 0; })) {
      // A pending unknown token is left pending here, as in the reference.
      for (const char c : symbol) symbols.push_back({byte_id(c), 1});
    } else if (!unk_token_.empty()) {
      if (unk_ < 0) refuse_unknown(symbol);
      if (!fuse_unk_) flush_unk();
      unknown += static_cast<std::uint32_t>(length);
    }
  }
  flush_unk();
}

void Bpe::refuse_unknown(std::string_view symbol) const {
  throw FormatError(
      fmt::format("tokenizer: {}: {} is not in the vocabulary, and unk_token {} neither", kRole,
                  in_quotes(symbol), in_quotes(unk_token_)));
}

}  // namespace gladius::text
