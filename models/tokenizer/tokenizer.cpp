#include "gladius/models/tokenizer/tokenizer.h"

#include <algorithm>
#include <iterator>
#include <mutex>

#include "gladius/models/gguf/file.h"
#include "gladius/models/tokenizer/added_tokens.h"
#include "gladius/models/tokenizer/added_vocabulary.h"
#include "gladius/models/tokenizer/bpe.h"
#include "gladius/models/tokenizer/decoders.h"
#include "gladius/models/tokenizer/json_fields.h"
#include "gladius/models/tokenizer/normalizers.h"
#include "gladius/models/tokenizer/post_processors.h"
#include "gladius/models/tokenizer/pre_tokenizers.h"
#include "gladius/models/tokenizer/tokenizer_config.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::text {
namespace {

using tokenizer_json::Json;

// A member of the file that may be missing, which is as null.
Json member(const Json& root, const char* name) {
  return root.contains(name) ? root.at(name) : Json();
}

std::filesystem::path tokenizer_file(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? path / "tokenizer.json" : path;
}

const Json& model_of(const Json& root) {
  if (!root.is_object() || !root.contains("model")) {
    throw FormatError("tokenizer: the file has no \"model\"");
  }
  return root.at("model");
}

// The caches that are not in use: each call of encode() takes one, so that threads need not wait
// for each other.
class CachePool {
 public:
  std::unique_ptr<WordCache> take() {
    const std::lock_guard lock(mutex_);
    if (caches_.empty()) return std::make_unique<WordCache>();
    auto cache = std::move(caches_.back());
    caches_.pop_back();
    return cache;
  }
  void give_back(std::unique_ptr<WordCache> cache) {
    const std::lock_guard lock(mutex_);
    caches_.push_back(std::move(cache));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<WordCache>> caches_;
};

}  // namespace

struct Tokenizer::Impl {
  Impl(const Json& root, const TokenizerConfig& config);

  Encoding encode(std::string_view source, bool add_special_tokens, bool with_spans) const;

  Bpe bpe;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  TokenDecoder decoder;
  AddedVocabulary added;
  bool tracks_texts;  // even where nobody asks for spans
  std::vector<std::string> tokens;
  std::vector<std::string> notes;
  nlohmann::ordered_json special_tokens;

 private:
  // A call of encode() on its way.
  struct Run {
    Encoding encoding;
    bool with_spans;
    WordCache& cache;
    std::vector<WordToken> word;  // kept, for its memory

    void put(std::int32_t id, const AlignedText& text, TextRange range) {
      encoding.ids.push_back(id);
      if (with_spans) encoding.spans.push_back(text.span(range.begin, range.end));
    }
  };

  AddedVocabulary read_added(const Json& root, const TokenizerConfig& config) const;
  void set_token(std::int32_t id, std::string_view token);
  AlignedText normalize(AlignedText text) const {
    return normalizer ? normalizer(std::move(text)) : text;
  }
  void encode_text(AlignedText text, bool at_start, Run& run) const;
  void encode_words(const Words& words, Run& run) const;
  void post_process(std::string_view source, bool add_special_tokens, Encoding& encoding) const;

  mutable CachePool caches_;
};

Tokenizer::Impl::Impl(const Json& root, const TokenizerConfig& config)
    : bpe(model_of(root)),
      normalizer(make_normalizer(member(root, "normalizer"))),
      pre_tokenizer(make_pre_tokenizer(member(root, "pre_tokenizer"))),
      post_processor(make_post_processor(member(root, "post_processor"))),
      decoder(make_decoder(member(root, "decoder"))),
      added(read_added(root, config)),
      tracks_texts(goes_by_source(member(root, "pre_tokenizer"), normalizer != nullptr)),
      special_tokens(config.special_tokens(member(root, "padding"))) {
  if (!decoder) decoder = join_with_spaces();
  tokens.reserve(bpe.vocab().size() + added.tokens().size());
  for (std::size_t i = 0; i < bpe.vocab().size(); ++i) {
    set_token(bpe.vocab()[i].id, bpe.vocab()[i].text);
  }
  for (const auto& [id, content, text] : added.tokens()) {
    set_token(id, content);
    tokens[static_cast<std::size_t>(id)] = text;
  }
  for (const char* name : {"truncation", "padding"}) {
    if (member(root, name).is_null()) continue;
    notes.push_back(fmt::format("\"{}\" is ignored, as by transformers", name));
  }
  if (!added.note().empty()) notes.push_back(added.note());
}

AddedVocabulary Tokenizer::Impl::read_added(const Json& root, const TokenizerConfig& config) const {
  std::vector<AddedToken> tokens = read_added_tokens(member(root, "added_tokens"));
  const std::vector<AddedToken> others = config.added_tokens(tokens, member(root, "padding"));
  tokens.insert(tokens.end(), others.begin(), others.end());
  const auto normalized = [this](const std::string& text) {
    return normalize(AlignedText::from_source(text, false)).bytes();
  };
  return {tokens,
          bpe.vocab(),
          {.normalize = normalized, .splits_special_tokens = config.splits_special_tokens()}};
}

void Tokenizer::Impl::set_token(std::int32_t id, std::string_view token) {
  // One bound for all, so that a wrong id cannot ask for gigabytes.
  constexpr std::int32_t kMaxId = 1 << 24;
  if (id > kMaxId) {
    throw FormatError(
        fmt::format("tokenizer: {} has id {}, over {}", in_quotes(token), id, kMaxId));
  }
  if (static_cast<std::size_t>(id) >= tokens.size()) tokens.resize(id + 1);
  if (!tokens[id].empty() && tokens[id] != token) {
    throw FormatError(fmt::format("tokenizer: {} and {} have the same id {}", in_quotes(tokens[id]),
                                  in_quotes(token), id));
  }
  tokens[id] = token;
}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  return load(path, read_tokenizer_json<Json>(path));
}

Tokenizer Tokenizer::load(const std::filesystem::path& path, const Json& root) {
  const std::filesystem::path file = tokenizer_file(path);
  const bool alone = file == path && !gguf::is_gguf(path);
  const TokenizerConfig config = alone ? TokenizerConfig() : TokenizerConfig::load(path);
  try {
    auto impl = std::make_shared<Impl>(root, config);
    for (std::string& note : impl->notes) note = fmt::format("{}: {}", file.string(), note);
    return Tokenizer(std::move(impl));
  } catch (const Json::exception& error) {
    throw FormatError(fmt::format("{}: {}", file.string(), reason_of(error)));
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", file.string(), error.what()));
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

Encoding Tokenizer::Impl::encode(std::string_view source, bool add_special_tokens,
                                 bool with_spans) const {
  auto cache = caches_.take();
  Run run{{}, with_spans, *cache, {}};
  AlignedText text = AlignedText::from_source(source, with_spans || tracks_texts);
  const auto parts = added.in_text().split(text.bytes());
  for (const auto& [id, range] : parts) {
    if (id >= 0) {
      run.put(id, text, range);
    } else if (range.end - range.begin == text.size()) {
      encode_text(std::move(text), true, run);
    } else {
      encode_text(text.slice(range.begin, range.end), range.begin == 0, run);
    }
  }
  caches_.give_back(std::move(cache));
  post_process(source, add_special_tokens, run.encoding);
  return std::move(run.encoding);
}

// Text without the added tokens that are looked for in the source.
void Tokenizer::Impl::encode_text(AlignedText text, bool at_start, Run& run) const {
  text = normalize(std::move(text));
  const auto parts = added.in_normalized().split(text.bytes());
  for (const auto& [id, range] : parts) {
    if (id >= 0) {
      run.put(id, text, range);
      continue;
    }
    const bool whole = range.end - range.begin == text.size();
    AlignedText part = whole ? std::move(text) : text.slice(range.begin, range.end);
    Words words{std::move(part), {{0, range.end - range.begin}}, at_start && range.begin == 0};
    encode_words(pre_tokenizer ? pre_tokenizer(std::move(words)) : std::move(words), run);
  }
}

void Tokenizer::Impl::encode_words(const Words& words, Run& run) const {
  const std::string_view text = words.text.bytes();
  for (const auto& [begin, end] : words.ranges) {
    run.word.clear();
    bpe.encode(text.substr(begin, end - begin), run.cache, run.word);
    std::size_t pos = begin;
    for (const WordToken& token : run.word) {
      run.put(token.id, words.text, {pos, pos + token.bytes});
      pos += token.bytes;
    }
  }
}

void Tokenizer::Impl::post_process(std::string_view source, bool add_special_tokens,
                                   Encoding& encoding) const {
  if (!post_processor) return;
  const std::function<std::string_view(std::size_t)> token = [&](std::size_t i) {
    const std::int32_t id = encoding.ids[i];
    const ByteSpan span = encoding.spans[i];
    // An added token's span may hold white space that it took.
    return added.contains(id) && span.end > span.begin
               ? source.substr(span.begin, span.end - span.begin)
               : std::string_view(tokens[static_cast<std::size_t>(id)]);
  };
  post_processor({encoding, add_special_tokens, source, token});
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  return impl_->encode(text, add_special_tokens, /*with_spans=*/false).ids;
}

Encoding Tokenizer::encode_with_spans(std::string_view text, bool add_special_tokens) const {
  return impl_->encode(text, add_special_tokens, /*with_spans=*/true);
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids,
                              bool skip_special_tokens) const {
  TokenList tokens;
  tokens.bytes.reserve(ids.size() * 4);
  tokens.ends.reserve(ids.size());
  for (const std::int32_t id : ids) add_token(id, skip_special_tokens, tokens);
  decoder()(tokens, /*last=*/true);
  return std::move(tokens.bytes);
}

TokenDecoder Tokenizer::decoder() const { return impl_->decoder; }

void Tokenizer::add_token(std::int32_t id, bool skip_special_tokens, TokenList& tokens) const {
  const std::string& token = id_to_token(id);
  if (!token.empty() && !(skip_special_tokens && is_special(id))) tokens.push_back(token);
}

std::int64_t Tokenizer::vocab_size() const {
  return static_cast<std::int64_t>(impl_->tokens.size());
}

std::int32_t Tokenizer::token_to_id(std::string_view token) const {
  const std::int32_t added = impl_->added.find(token);
  return added >= 0 ? added : impl_->bpe.vocab().find(token);
}

const std::string& Tokenizer::id_to_token(std::int32_t id) const {
  static const std::string none;
  return id < 0 || id >= vocab_size() ? none : impl_->tokens[id];
}

const nlohmann::ordered_json& Tokenizer::special_tokens() const { return impl_->special_tokens; }

const std::vector<std::string>& Tokenizer::notes() const { return impl_->notes; }

bool Tokenizer::is_added(std::int32_t id) const { return impl_->added.contains(id); }

bool Tokenizer::is_special(std::int32_t id) const { return impl_->added.is_special(id); }

}  // namespace gladius::text
