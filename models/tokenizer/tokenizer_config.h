// What a tokenizer's directory says beside tokenizer.json: special tokens and further added tokens.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/added_tokens.h"

namespace gladius::text {

/// tokenizer_config.json, special_tokens_map.json and added_tokens.json as transformers 4 and 5
/// merge them: the latter two are read only where tokenizer_config.json has no
/// "added_tokens_decoder" (or is not there), and special_tokens_map.json then goes before it.
class TokenizerConfig {
 public:
  /// Of a directory, which may have none of the files. IoError, FormatError naming the file.
  static TokenizerConfig load(const std::filesystem::path& directory);

  /// The texts of "bos_token", "eos_token" and their like by name, also of a model's own
  /// ("image_token"). `padding` is the member of that name of the tokenizer.json: its token is the
  /// "pad_token" where the files name none.
  nlohmann::ordered_json special_tokens(const nlohmann::json& padding) const;

  /// The tokens that are added to the ones of a tokenizer.json, in order. `padding` as above.
  std::vector<AddedToken> added_tokens(const std::vector<AddedToken>& in_tokenizer_json,
                                       const nlohmann::json& padding) const;

  /// Whether special tokens in a text are cut into pieces as other text is.
  bool splits_special_tokens() const { return splits_special_tokens_; }

 private:
  // A token with the flags that a file gives it.
  struct Stated {
    AddedToken token;
    bool is_text;  // the file has its text alone: another thing than an object of the same flags

    bool operator==(const Stated&) const = default;
  };
  struct Named {
    std::string name;
    Stated stated;
    bool as_listed;  // where the files list its text, it has the flags that they give it there
  };

  static Stated read_stated_token(const nlohmann::ordered_json& value, const std::string& where);
  std::vector<Named> named_tokens(const nlohmann::json& padding) const;
  void read_named_tokens(const nlohmann::ordered_json& config, const nlohmann::ordered_json& own,
                         const std::string& file);
  void read_extra_tokens(const nlohmann::ordered_json& extra, const std::string& file);
  void read_decoder(const nlohmann::ordered_json& decoder, const std::string& file);
  void read_older_tokens(const nlohmann::ordered_json& tokens, const std::string& file,
                         const std::vector<std::string>& special_texts);

  std::vector<Named> named_;        // "bos_token" and its like
  std::vector<Stated> extra_;       // tokens without a name, most of them special
  std::vector<AddedToken> listed_;  // with ids, in the order of the file
  bool has_decoder_ = false;        // tokenizer_config.json has "added_tokens_decoder"
  bool names_pad_token_ = false;    // perhaps as null
  bool splits_special_tokens_ = false;
};

}  // namespace gladius::text
