// Metaspace: a visible character in the place of spaces.
// Kudo, Richardson, "SentencePiece", 2018.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "gladius/models/tokenizer/pre_tokenizers.h"
#include "gladius/models/tokenizer/token_list.h"

namespace gladius::text {

class Metaspace {
 public:
  /// `role` names the component in errors.
  Metaspace(const nlohmann::json& component, const std::string& role);

  /// Puts the character in the place of spaces and before words (as `prepend_scheme` says), and
  /// cuts before each unless `split` is false. As in the reference a word is the first if it stems
  /// from the source's first byte, wherever another stage put it: such texts need to be tracked.
  Words pre_tokenize(Words words) const;

  /// Turns the character into a space again; those of a text's first token go, unless none was put.
  /// `at_start`: the text begins with these tokens.
  void decode(TokenList& tokens, bool at_start) const;

 private:
  enum class Prepend { kAlways, kFirst, kNever };

  bool prepends(const Words& words, std::size_t index) const;

  std::string replacement_;
  Prepend prepend_;
  bool split_;
};

}  // namespace gladius::text
