#include "gladius/models/chat_template/chat_template.h"

#include <fmt/format.h>

#include <array>

#include "gladius/models/chat_template/interpreter.h"
#include "gladius/models/chat_template/parser.h"
#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/file_descriptor.h"
#include "gladius/tensor/io/text_file.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

// The file's object, or an empty one when there is no file.
Json read_tokenizer_config(const std::filesystem::path& model_dir) {
  const auto path = model_dir / "tokenizer_config.json";
  if (!is_there(path)) return Json::object();
  Json config = read_json_file(path);
  if (!config.is_object()) {
    throw FormatError(fmt::format("chat template: {} is no JSON object", path.string()));
  }
  return config;
}

std::optional<std::string> default_template(const Json& entry, const std::filesystem::path& dir) {
  if (entry.is_null()) return std::nullopt;
  if (entry.is_string()) return entry.get<std::string>();
  if (entry.is_array()) {
    for (const Json& named : entry) {
      if (named.is_object() && named.value("name", Json()) == "default" &&
          named.value("template", Json()).is_string()) {
        return named.at("template").get<std::string>();
      }
    }
  }
  throw FormatError(fmt::format(
      "chat template: \"chat_template\" of {} is neither a string nor a list with a \"default\"",
      (dir / "tokenizer_config.json").string()));
}

// transformers' clean-up of messages: members that are null are dropped, and a thought goes by the
// names that templates read.
Json normalize(const Json& message) {
  if (!message.is_object()) throw FormatError("chat template: a message is no object");
  Json out = Json::object();
  Json thought;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    if (thought.is_null()) thought = message.value(name, Json());
  }
  if (!thought.is_null()) out["thinking"] = thought;
  for (const auto& [name, value] : message.items()) {
    if (!value.is_null()) out[name] = value;
  }
  if (!thought.is_null()) out["reasoning_content"] = thought;
  return out;
}

}  // namespace

struct ChatTemplate::Impl {
  jinja::Source source;
  jinja::Body body;
};

ChatTemplate ChatTemplate::parse(std::string source, std::string name) {
  auto impl = std::make_shared<Impl>();
  impl->source = jinja::make_source(std::move(source), std::move(name));
  impl->body = jinja::parse_template(impl->source);
  return ChatTemplate(std::move(impl));
}

std::optional<ChatTemplate> ChatTemplate::load(const std::filesystem::path& model_dir) {
  const auto file = model_dir / "chat_template.jinja";
  if (is_there(file)) return parse(read_text_file(file), file.string());
  const Json config = read_tokenizer_config(model_dir);
  auto text = default_template(config.value("chat_template", Json()), model_dir);
  if (!text) return std::nullopt;
  return parse(std::move(*text), (model_dir / "tokenizer_config.json").string() + " chat_template");
}

std::string ChatTemplate::render(const Json& context) const {
  if (!context.is_object()) throw FormatError("chat template: the context is no JSON object");
  return jinja::render(impl_->source, impl_->body, context);
}

Json load_special_tokens(const std::filesystem::path& model_dir) {
  constexpr std::array names{"bos_token", "eos_token", "unk_token", "sep_token",
                             "pad_token", "cls_token", "mask_token"};
  const Json config = read_tokenizer_config(model_dir);
  Json out = Json::object();
  for (const char* name : names) {
    Json token = config.value(name, Json());
    if (token.is_object()) token = token.value("content", Json());  // a serialized AddedToken
    if (token.is_null()) continue;
    if (!token.is_string()) {
      throw FormatError(fmt::format("chat template: \"{}\" of {} is no token", name,
                                    (model_dir / "tokenizer_config.json").string()));
    }
    out[name] = std::move(token);
  }
  return out;
}

std::string render_chat(const ChatTemplate& chat_template, const Json& messages,
                        bool add_generation_prompt, const Json& variables, const Json& tools) {
  if (!messages.is_array()) throw FormatError("chat template: the messages are no list");
  Json context = variables.is_null() ? Json::object() : variables;
  if (!context.is_object()) throw FormatError("chat template: the variables are no JSON object");
  context["messages"] = Json::array();
  for (const Json& message : messages) context["messages"].push_back(normalize(message));
  context["tools"] = tools;
  context["documents"] = nullptr;
  context["add_generation_prompt"] = add_generation_prompt;
  return chat_template.render(context);
}

}  // namespace gladius
