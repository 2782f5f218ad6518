// Chat templates: a conversation to the text a model was trained on.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "gladius/models/chat_template/rendering.h"

namespace gladius::text {

/// A model directory's Jinja template, rendered as transformers' apply_chat_template does. A cheap
/// handle. Const methods may be called from several threads. Templates are not trusted: a rendering
/// takes a bounded number of steps, bytes and calls within calls.
///
/// Errors show the template's name, the line and the text around the place: FormatError for bad
/// syntax, for data the template does not fit and for its own raise_exception(); ConfigError for
/// Jinja that is not supported (template inheritance, call blocks, recursive loops, some filters).
class ChatTemplate {
 public:
  static ChatTemplate parse(std::string source, std::string name = "chat_template");

  /// The one that transformers takes for a conversation with tools or without (ChatTemplates);
  /// nothing when the directory has none.
  static std::optional<ChatTemplate> load(const std::filesystem::path& model_dir,
                                          bool with_tools = false);

  /// The text with the members of `context` (an object) as variables. FormatError, ConfigError.
  std::string render(const nlohmann::ordered_json& context) const;
  /// The same, with what comes from where.
  Rendering render_with_origins(const nlohmann::ordered_json& context) const;

  /// Whether it marks what the assistant writes, with {% generation %} blocks.
  bool marks_generation() const;

 private:
  struct Impl;
  explicit ChatTemplate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// apply_chat_template(messages, tools=..., add_generation_prompt=..., tokenize=False): `messages`
/// is a list of objects with "role" and "content", `variables` an object with the special tokens
/// (Tokenizer::special_tokens) and what else the template reads ("enable_thinking"), `tools` a list
/// of JSON schemas or null.
std::string render_chat(const ChatTemplate& chat_template, const nlohmann::ordered_json& messages,
                        bool add_generation_prompt, const nlohmann::ordered_json& variables,
                        const nlohmann::ordered_json& tools = nullptr);
/// The same, with what comes from where: Origins of `messages`.
Rendering render_chat_with_origins(const ChatTemplate& chat_template,
                                   const nlohmann::ordered_json& messages,
                                   bool add_generation_prompt,
                                   const nlohmann::ordered_json& variables,
                                   const nlohmann::ordered_json& tools = nullptr);

}  // namespace gladius::text
