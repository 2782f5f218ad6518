// The templates of a model directory, which may have several by name.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gladius/models/chat_template/chat_template.h"

namespace gladius::text {

/// DIR/additional_chat_templates/*.jinja, by name.
std::vector<std::filesystem::path> additional_chat_templates(
    const std::filesystem::path& model_dir);

/// Which template a conversation is rendered with, as transformers chooses.
class ChatTemplates {
 public:
  /// DIR/chat_template.jinja (the "default") and DIR/additional_chat_templates/NAME.jinja; where
  /// there are none, "chat_template" of DIR/tokenizer_config.json: one template, or several as a
  /// list of {"name", "template"}. Or those of a GGUF file. IoError, FormatError.
  static ChatTemplates load(const std::filesystem::path& model_dir);

  bool empty() const { return sources_.empty(); }
  /// The templates by name, as they are written.
  std::map<std::string, std::string> texts() const;

  /// "tool_use" for a conversation with tools, if there is one, else "default". Takes the time to
  /// parse it. ConfigError naming the directory and the templates if neither is there; as
  /// ChatTemplate::parse.
  ChatTemplate choose(bool with_tools) const;

 private:
  struct Source {
    std::string text;
    std::string place;  // for messages
  };

  void add_files(const std::filesystem::path& model_dir);
  void add_configured(const std::filesystem::path& model_dir);

  std::filesystem::path directory_;
  std::map<std::string, Source> sources_;
};

}  // namespace gladius::text
