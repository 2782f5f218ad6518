#include "gladius/models/tokenizer/tokenizer_trainer.h"

#include <utility>

#include "gladius/models/tokenizer/added_tokens.h"
#include "gladius/models/tokenizer/normalizers.h"
#include "gladius/models/tokenizer/pre_tokenizers.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"

namespace gladius::text {

// What a text passes through before its words are counted.
struct TokenizerTrainer::Stages {
  explicit Stages(const TokenizerLayout& layout)
      : normalizer(make_normalizer(layout.normalizer)),
        pre_tokenizer(make_pre_tokenizer(layout.pre_tokenizer)) {
    for (const std::string& token : layout.special_tokens) {
      special.add({.id = 0, .content = token}, token);
    }
  }

  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokenMatcher special;
};

TokenizerTrainer::TokenizerTrainer(TokenizerTrainerOptions options)
    : options_(std::move(options)),
      layout_(tokenizer_layout(options_.kind, options_.special_tokens, options_.eos_token,
                               options_.split)) {
  const bool own_alphabet = !options_.alphabet.empty() || options_.limit_alphabet;
  if (own_alphabet && options_.kind == TokenizerKind::byte_level) {
    throw ConfigError(
        "tokenizer: the alphabet of the byte-level kind is the 256 bytes; leave out "
        "what is said of an alphabet");
  }
  if (utf8::find_invalid(options_.alphabet) != std::string::npos) {
    throw ConfigError("tokenizer: the alphabet is not UTF-8");
  }
  layout_.alphabet += options_.alphabet;
  stages_ = std::make_shared<const Stages>(layout_);
}

void TokenizerTrainer::add(std::string_view text) {
  if (text.empty()) return;
  AlignedText normal = AlignedText::from_source(text, /*tracked=*/false);
  if (stages_->normalizer) normal = stages_->normalizer(std::move(normal));
  if (normal.size() == 0) return;
  const TextRange whole{0, normal.size()};
  const Words words = stages_->pre_tokenizer(Words{std::move(normal), {whole}, true});
  const std::string_view bytes = words.text.bytes();
  for (const auto [begin, end] : words.ranges) words_.add_word(bytes.substr(begin, end - begin));
}

void TokenizerTrainer::add_with_special_tokens(std::string_view text) {
  for (const auto& [id, range] : stages_->special.split(text)) {
    if (id < 0) add(text.substr(range.begin, range.end - range.begin));
  }
}

BpeVocabulary TokenizerTrainer::train(const std::function<void(std::size_t)>& progress) const {
  return words_.train({.vocab_size = options_.vocab_size,
                       .min_frequency = options_.min_frequency,
                       .special_tokens = first_tokens(layout_),
                       .initial_alphabet = layout_.alphabet,
                       .limit_alphabet = options_.limit_alphabet},
                      progress);
}

}  // namespace gladius::text
