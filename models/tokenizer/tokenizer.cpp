#include "gladius/models/tokenizer/tokenizer.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "gladius/models/json_file.h"
#include "gladius/models/tokenizer/added_tokens.h"
#include "gladius/models/tokenizer/bpe.h"
#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/text_stages.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius {

using tokenizer_json::Json;

struct Tokenizer::Impl {
  explicit Impl(const Json& root);

  Bpe bpe;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  TokenDecoder decoder;
  AddedTokenMatcher in_text;        // added tokens looked for in the text as it came
  AddedTokenMatcher in_normalized;  // and in the normalised text
  std::vector<std::string> tokens;
  Bpe::Vocab added;
  std::unordered_set<std::int32_t> special;

 private:
  void add(const AddedToken& token);
  void set_token(std::int32_t id, const std::string& token);
};

namespace {

// A member of the file that may be missing, which is as null.
Json member(const Json& root, const char* name) {
  return root.contains(name) ? root.at(name) : Json();
}

}  // namespace

Tokenizer::Impl::Impl(const Json& root)
    : bpe(tokenizer_json::field<Json>(root, "model", "the file")),
      normalizer(make_normalizer(member(root, "normalizer"))),
      pre_tokenizer(make_pre_tokenizer(member(root, "pre_tokenizer"))),
      post_processor(make_post_processor(member(root, "post_processor"))),
      decoder(make_decoder(member(root, "decoder"))) {
  for (const char* name : {"truncation", "padding"}) {
    if (!member(root, name).is_null()) tokenizer_json::refuse("component", name);
  }
  for (const auto& [token, id] : bpe.vocab()) set_token(id, token);
  for (const AddedToken& token : read_added_tokens(member(root, "added_tokens"))) add(token);
}

void Tokenizer::Impl::add(const AddedToken& token) {
  const auto known = bpe.vocab().find(token.content);
  if (known != bpe.vocab().end() && known->second != token.id) {
    throw FormatError(fmt::format("tokenizer: added token \"{}\" has id {}, but {} in the model",
                                  token.content, token.id, known->second));
  }
  set_token(token.id, token.content);
  added.emplace(token.content, token.id);
  if (token.special) special.insert(token.id);
  if (!token.normalized) {
    in_text.add(token, token.content);
  } else {
    in_normalized.add(token, normalizer ? normalizer(token.content) : token.content);
  }
}

void Tokenizer::Impl::set_token(std::int32_t id, const std::string& token) {
  // One bound for all, so that a wrong id cannot ask for gigabytes.
  constexpr std::int32_t kMaxId = 1 << 24;
  if (id > kMaxId) {
    throw FormatError(fmt::format("tokenizer: \"{}\" has id {}, over {}", token, id, kMaxId));
  }
  if (static_cast<std::size_t>(id) >= tokens.size()) tokens.resize(id + 1);
  if (!tokens[id].empty() && tokens[id] != token) {
    throw FormatError(
        fmt::format("tokenizer: \"{}\" and \"{}\" have the same id {}", tokens[id], token, id));
  }
  tokens[id] = token;
}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  std::error_code ignored;
  const std::filesystem::path file =
      std::filesystem::is_directory(path, ignored) ? path / "tokenizer.json" : path;
  const auto root = read_json_file<Json>(file);
  try {
    return Tokenizer(std::make_shared<const Impl>(root));
  } catch (const Json::exception& error) {
    throw FormatError(fmt::format("{}: {}", file.string(), error.what()));
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", file.string(), error.what()));
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  if (const std::size_t bad = utf8::find_invalid(text); bad != std::string_view::npos) {
    throw FormatError(fmt::format("tokenizer: the text is not UTF-8 at byte {}", bad));
  }
  std::vector<std::int32_t> ids;
  if (add_special_tokens) ids = impl_->post_processor.prefix;
  for (const auto& part : impl_->in_text.split(text)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    std::string normalized(part.text);
    if (impl_->normalizer) normalized = impl_->normalizer(std::move(normalized));
    bool at_start = part.text.data() == text.data();
    for (const auto& inner : impl_->in_normalized.split(normalized)) {
      const bool first = std::exchange(at_start, false);
      if (inner.id >= 0) {
        ids.push_back(inner.id);
        continue;
      }
      std::vector<TextPiece> pieces{{std::string(inner.text), first}};
      if (impl_->pre_tokenizer) pieces = impl_->pre_tokenizer(std::move(pieces));
      for (const TextPiece& piece : pieces) impl_->bpe.encode(piece.text, ids);
    }
  }
  if (add_special_tokens) {
    const auto& suffix = impl_->post_processor.suffix;
    ids.insert(ids.end(), suffix.begin(), suffix.end());
  }
  return ids;
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids,
                              bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) {
    const std::string& token = id_to_token(id);
    if (!token.empty() && !(skip_special_tokens && is_special(id))) tokens.push_back(token);
  }
  if (impl_->decoder) tokens = impl_->decoder(std::move(tokens));
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    // Without a decoder the reference joins the tokens with spaces.
    if (i > 0 && !impl_->decoder) text += ' ';
    text += tokens[i];
  }
  return text;
}

std::int64_t Tokenizer::vocab_size() const {
  return static_cast<std::int64_t>(impl_->tokens.size());
}

std::int32_t Tokenizer::token_to_id(std::string_view token) const {
  for (const Bpe::Vocab* vocab : {&impl_->added, &impl_->bpe.vocab()}) {
    if (const auto found = vocab->find(token); found != vocab->end()) return found->second;
  }
  return -1;
}

const std::string& Tokenizer::id_to_token(std::int32_t id) const {
  static const std::string none;
  return id < 0 || id >= vocab_size() ? none : impl_->tokens[id];
}

bool Tokenizer::is_special(std::int32_t id) const { return impl_->special.contains(id); }

std::string StreamDecoder::push(std::int32_t id) {
  window_.push_back(id);
  const std::string text = tokenizer_.decode(window_, skip_special_);
  const bool incomplete = text.ends_with(utf8::kReplacement);
  if (text.size() <= shown_.size() || incomplete) return "";
  return take(text);
}

std::string StreamDecoder::flush() { return take(tokenizer_.decode(window_, skip_special_)); }

std::string StreamDecoder::take(const std::string& text) {
  const auto differs = std::mismatch(shown_.begin(), shown_.end(), text.begin(), text.end());
  std::string fresh(differs.second, text.end());
  window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(shown_ids_));
  shown_ids_ = window_.size();
  shown_ = tokenizer_.decode(window_, skip_special_);
  return fresh;
}

}  // namespace gladius
