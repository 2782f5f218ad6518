#include "gladius/models/tokenizer/bpe.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius {
namespace {

using tokenizer_json::field;
using tokenizer_json::field_or;
using tokenizer_json::Json;

constexpr char kRole[] = "model BPE";

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

// A merge is "left right", or since tokenizers 0.20 ["left", "right"].
std::pair<std::string, std::string> parts_of_merge(const Json& merge, std::size_t index) {
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  throw FormatError(fmt::format("tokenizer: {}: merge {} is not a pair of tokens", kRole, index));
}

void refuse_text(const Json& model, const char* name) {
  if (!field_or<std::string>(model, name, kRole, "").empty()) {
    tokenizer_json::refuse(kRole, name);
  }
}

}  // namespace

Bpe::Bpe(const Json& model) {
  // Files older than tokenizers 0.9 leave the type out.
  const auto type = field_or<std::string>(model, "type", "model", "BPE");
  if (type != "BPE") tokenizer_json::refuse("model", type);
  if (field_or(model, "dropout", kRole, 0.0) != 0.0) tokenizer_json::refuse(kRole, "dropout");
  refuse_text(model, "continuing_subword_prefix");
  refuse_text(model, "end_of_word_suffix");
  fuse_unk_ = field_or(model, "fuse_unk", kRole, false);
  byte_fallback_ = field_or(model, "byte_fallback", kRole, false);
  ignore_merges_ = field_or(model, "ignore_merges", kRole, false);

  const Json vocab = field<Json>(model, "vocab", kRole);
  if (!vocab.is_object()) throw FormatError("tokenizer: model BPE: \"vocab\" is not an object");
  for (const auto& [token, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0x3FFFFFFF) {
      throw FormatError(
          fmt::format("tokenizer: {}: the id of \"{}\" is not an integer from 0", kRole, token));
    }
    vocab_.emplace(token, id.get<std::int32_t>());
  }
  const auto unk = field_or<std::string>(model, "unk_token", kRole, "");
  if (!unk.empty() && (unk_ = find(unk)) < 0) {
    throw FormatError(
        fmt::format("tokenizer: {}: unk_token \"{}\" is not in the vocabulary", kRole, unk));
  }
  byte_ids_.resize(256);
  for (int byte = 0; byte < 256; ++byte) byte_ids_[byte] = find(fmt::format("<0x{:02X}>", byte));
  read_merges(field<Json>(model, "merges", kRole));
  find_joinable_pairs();
}

void Bpe::read_merges(const Json& merges) {
  if (!merges.is_array()) throw FormatError("tokenizer: model BPE: \"merges\" is not a list");
  merges_.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto [left, right] = parts_of_merge(merges[i], i);
    const std::int32_t a = find(left), b = find(right), merged = find(left + right);
    if (a < 0 || b < 0 || merged < 0 || left.empty() || right.empty()) {
      throw FormatError(fmt::format(
          "tokenizer: {}: merge {} (\"{}\", \"{}\") has tokens that are not in the vocabulary",
          kRole, i, left, right));
    }
    // A pair listed twice has the later rank, as in the reference.
    merges_[pair_key(a, b)] = {static_cast<std::int32_t>(i), merged};
  }
}

// Two neighbouring first symbols can end up in one token only if some merge joins a token that can
// end with the one to a token that can start with the other. Tokens grow with every merge, so going
// by length visits what a token is made of before the token.
void Bpe::find_joinable_pairs() {
  std::map<std::int32_t, std::set<std::int32_t>> first, last;
  std::unordered_map<std::int32_t, std::size_t> length;
  for (const auto& [token, id] : vocab_) {
    length[id] = token.size();
    const bool character = !token.empty() && utf8::char_length(token[0]) == token.size();
    if (character) first[id].insert(id), last[id].insert(id);
  }
  for (const std::int32_t id : byte_ids_) {
    if (id >= 0) first[id].insert(id), last[id].insert(id);
  }
  std::vector<std::pair<std::uint64_t, std::int32_t>> by_length;
  by_length.reserve(merges_.size());
  for (const auto& [pair, merge] : merges_) by_length.emplace_back(pair, merge.id);
  std::sort(by_length.begin(), by_length.end(),
            [&](const auto& a, const auto& b) { return length[a.second] < length[b.second]; });
  for (const auto& [pair, id] : by_length) {
    const auto left = static_cast<std::int32_t>(pair >> 32);
    const auto right = static_cast<std::int32_t>(pair & 0xFFFFFFFFu);
    first[id].insert(first[left].begin(), first[left].end());
    last[id].insert(last[right].begin(), last[right].end());
    for (const std::int32_t a : last[left]) {
      for (const std::int32_t b : first[right]) joinable_.insert(pair_key(a, b));
    }
  }
}

std::int32_t Bpe::find(std::string_view token) const {
  const auto found = vocab_.find(token);
  return found == vocab_.end() ? -1 : found->second;
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::split_into_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const {
  bool unk_pending = false;
  const auto flush_unk = [&] {
    if (unk_pending) symbols.push_back(unk_);
    unk_pending = false;
  };
  symbols.reserve(symbols.size() + word.size());
  for (std::size_t pos = 0, length; pos < word.size(); pos += length) {
    length = utf8::char_length(word[pos]);
    const std::string_view character = word.substr(pos, length);
    if (const std::int32_t id = find(character); id >= 0) {
      flush_unk();
      symbols.push_back(id);
      continue;
    }
    const auto byte_id = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
    if (byte_fallback_ &&
        std::all_of(character.begin(), character.end(), [&](char c) { return byte_id(c) >= 0; })) {
      // A pending unknown token is left pending here, as in the reference.
      for (const char c : character) symbols.push_back(byte_id(c));
    } else if (unk_ >= 0) {
      if (!fuse_unk_) flush_unk();
      unk_pending = true;
    }
  }
  flush_unk();
}

void Bpe::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (ignore_merges_) {
    if (const std::int32_t id = find(word); id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  constexpr std::size_t kCachedLength = 32;
  constexpr std::size_t kCachedWords = 1 << 16;
  std::unordered_map<std::string, std::vector<std::int32_t>, TransparentHash, std::equal_to<>>
      cache;
  std::vector<std::int32_t> symbols;
  split_into_symbols(word, symbols);
  for (std::size_t begin = 0, end; begin < symbols.size(); begin = end) {
    for (end = begin + 1; end < symbols.size(); ++end) {
      if (!joinable_.contains(pair_key(symbols[end - 1], symbols[end]))) break;
    }
    const std::size_t count = end - begin;
    if (count > kCachedLength || symbols.size() < 2 * kCachedLength) {
      merge_symbols(&symbols[begin], count, ids);
      continue;
    }
    const std::string_view key(reinterpret_cast<const char*>(&symbols[begin]),
                               count * sizeof(std::int32_t));
    if (const auto hit = cache.find(key); hit != cache.end()) {
      ids.insert(ids.end(), hit->second.begin(), hit->second.end());
      continue;
    }
    const std::size_t before = ids.size();
    merge_symbols(&symbols[begin], count, ids);
    if (cache.size() < kCachedWords) {
      cache.emplace(key, std::vector<std::int32_t>(ids.begin() + before, ids.end()));
    }
  }
}

// Takes the pair of lowest rank, leftmost first, from a heap; an entry whose pair has changed since
// it was queued is dropped. The symbols are a linked list over their first positions.
void Bpe::merge_symbols(const std::int32_t* symbols, std::size_t count,
                        std::vector<std::int32_t>& ids) const {
  struct Node {
    std::int32_t id, previous, next;
  };
  struct Candidate {
    std::int32_t rank, position, id;
    bool operator<(const Candidate& other) const {  // std's heaps give the largest first
      return std::pair(rank, position) > std::pair(other.rank, other.position);
    }
  };
  if (count == 1) return ids.push_back(symbols[0]);
  if (count > 0x7FFFFFFE) throw Error("tokenizer: the text is over 2 GiB long; encode it in parts");
  std::vector<Node> nodes(count);
  std::vector<Candidate> heap;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::int32_t>(i);
    nodes[i] = {symbols[i], at - 1, i + 1 < count ? at + 1 : -1};
    const Merge* merge = i + 1 < count ? find_merge(symbols[i], symbols[i + 1]) : nullptr;
    if (merge) heap.push_back({merge->rank, at, merge->id});
  }
  std::make_heap(heap.begin(), heap.end());
  const auto queue = [&](std::int32_t left, std::int32_t right) {
    if (const Merge* merge = find_merge(nodes[left].id, nodes[right].id)) {
      heap.push_back({merge->rank, left, merge->id});
      std::push_heap(heap.begin(), heap.end());
    }
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const Candidate top = heap.back();
    heap.pop_back();
    Node& left = nodes[top.position];
    if (left.id < 0 || left.next < 0) continue;
    Node& right = nodes[left.next];
    // The reference compares the result only, not the rank; the same token can be made two ways.
    const Merge* merge = find_merge(left.id, right.id);
    if (!merge || merge->id != top.id) continue;
    left.id = top.id;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) nodes[left.next].previous = top.position;
    if (left.previous >= 0) queue(left.previous, top.position);
    if (left.next >= 0) queue(top.position, left.next);
  }
  for (std::int32_t at = 0; at >= 0; at = nodes[at].next) ids.push_back(nodes[at].id);
}

}  // namespace gladius
