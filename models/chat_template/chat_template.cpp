#include "gladius/models/chat_template/chat_template.h"

#include <fmt/format.h>

#include "gladius/models/chat_template/interpreter.h"
#include "gladius/models/chat_template/parser.h"
#include "gladius/tensor/base/error.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;

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
  jinja::Template parsed;
};

ChatTemplate ChatTemplate::parse(std::string source, std::string name) {
  auto impl = std::make_shared<Impl>();
  impl->source = jinja::make_source(std::move(source), std::move(name));
  impl->parsed = jinja::parse_template(impl->source);
  return ChatTemplate(std::move(impl));
}

std::string ChatTemplate::render(const Json& context) const {
  return render_with_origins(context).text;
}

Rendering ChatTemplate::render_with_origins(const Json& context) const {
  if (!context.is_object()) throw FormatError("chat template: the context is no JSON object");
  return jinja::render(impl_->source, impl_->parsed.body, context);
}

bool ChatTemplate::marks_generation() const { return impl_->parsed.marks_generation; }

std::string render_chat(const ChatTemplate& chat_template, const Json& messages,
                        bool add_generation_prompt, const Json& variables, const Json& tools) {
  return render_chat_with_origins(chat_template, messages, add_generation_prompt, variables, tools)
      .text;
}

Rendering render_chat_with_origins(const ChatTemplate& chat_template, const Json& messages,
                                   bool add_generation_prompt, const Json& variables,
                                   const Json& tools) {
  if (!messages.is_array()) throw FormatError("chat template: the messages are no list");
  Json context = variables.is_null() ? Json::object() : variables;
  if (!context.is_object()) throw FormatError("chat template: the variables are no JSON object");
  context["messages"] = Json::array();
  for (const Json& message : messages) context["messages"].push_back(normalize(message));
  context["tools"] = tools;
  context["documents"] = nullptr;
  context["add_generation_prompt"] = add_generation_prompt;
  return chat_template.render_with_origins(context);
}

}  // namespace gladius::text
