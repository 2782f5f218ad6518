#include "gladius/models/tokenizer/added_tokens.h"

#include <algorithm>
#include <tuple>

#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::text {
namespace {

// Offset to which white space reaches back from `pos`, not further than `limit`.
std::size_t white_space_before(std::string_view text, std::size_t pos, std::size_t limit) {
  while (pos > limit) {
    const std::size_t start = utf8::character_before(text, pos);
    if (!utf8::is_white_space(utf8::code_point(text, start))) break;
    pos = start;
  }
  return pos;
}

std::size_t white_space_after(std::string_view text, std::size_t pos) {
  while (pos < text.size() && utf8::is_white_space(utf8::code_point(text, pos))) {
    pos += utf8::char_length(text[pos]);
  }
  return pos;
}

// Whether it is a letter, a mark, a digit or a connector.
bool is_word_character(std::string_view character) {
  static const Regex word =
      Regex::from_pcre2(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}])");
  return !word.find_all(character).empty();
}

bool stands_alone(std::string_view text, std::size_t start, std::size_t stop) {
  if (start > 0) {
    const std::size_t before = utf8::character_before(text, start);
    if (is_word_character(text.substr(before, start - before))) return false;
  }
  return stop == text.size() ||
         !is_word_character(text.substr(stop, utf8::char_length(text[stop])));
}

}  // namespace

bool AddedToken::operator==(const AddedToken& other) const {
  const auto fields = [](const AddedToken& token) {
    return std::tie(token.content, token.single_word, token.lstrip, token.rstrip, token.normalized,
                    token.special);
  };
  return fields(*this) == fields(other);
}

void AddedTokenMatcher::add(const AddedToken& token, const std::string& pattern, bool passed_over) {
  if (pattern.empty()) return;
  auto& entries = by_first_byte_[static_cast<unsigned char>(pattern[0])];
  if (entries.empty()) leads_ += pattern[0];
  const auto place = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.pattern.size() < pattern.size();
  });
  entries.insert(place, {pattern, token, passed_over});
}

std::vector<AddedTokenMatcher::Part> AddedTokenMatcher::split(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t done = 0;
  for (std::size_t pos = 0; (pos = find_lead(text, pos)) < text.size();) {
    const auto& entries = by_first_byte_[static_cast<unsigned char>(text[pos])];
    const auto hit = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      return text.compare(pos, entry.pattern.size(), entry.pattern) == 0;
    });
    if (hit == entries.end()) {
      ++pos;
      continue;
    }
    std::size_t start = pos, stop = pos + hit->pattern.size();
    pos = stop;
    if (hit->passed_over) continue;
    if (hit->token.single_word && !stands_alone(text, start, stop)) continue;
    if (hit->token.lstrip) {
      start = std::max(done, white_space_before(text, start, std::min(done, start)));
    }
    if (hit->token.rstrip) stop = white_space_after(text, stop);
    // White space that the token before took is not text any more; a token of nothing else that
    // takes the white space before it is then gone.
    if (start >= stop) continue;
    if (done < start) parts.push_back({-1, {done, start}});
    parts.push_back({hit->token.id, {start, stop}});
    done = stop;
  }
  if (done < text.size()) parts.push_back({-1, {done, text.size()}});
  return parts;
}

std::size_t AddedTokenMatcher::find_lead(std::string_view text, std::size_t pos) const {
  if (leads_.empty()) return text.size();
  if (leads_.size() == 1) return std::min(text.find(leads_[0], pos), text.size());
  while (pos < text.size() && by_first_byte_[static_cast<unsigned char>(text[pos])].empty()) ++pos;
  return pos;
}

template <class Json>
AddedToken read_added_token(const Json& entry, const std::string& role) {
  using tokenizer_json::field;
  using tokenizer_json::field_or;
  AddedToken token;
  token.content = field<std::string>(entry, "content", role);
  token.single_word = field_or(entry, "single_word", role, false);
  token.lstrip = field_or(entry, "lstrip", role, false);
  token.rstrip = field_or(entry, "rstrip", role, false);
  token.special = field_or(entry, "special", role, false);
  token.normalized = field_or(entry, "normalized", role, !token.special);
  return token;
}

template AddedToken read_added_token(const nlohmann::json& entry, const std::string& role);
template AddedToken read_added_token(const nlohmann::ordered_json& entry, const std::string& role);

std::vector<AddedToken> read_added_tokens(const nlohmann::json& list) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) throw FormatError("tokenizer: \"added_tokens\" is not a list");
  for (const auto& entry : list) {
    AddedToken token = read_added_token(entry, "added token");
    const std::string role = "added token " + in_quotes(token.content);
    token.id = tokenizer_json::field<std::int32_t>(entry, "id", role);
    if (token.id < 0) throw FormatError(fmt::format("tokenizer: {} has id {}", role, token.id));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace gladius::text
