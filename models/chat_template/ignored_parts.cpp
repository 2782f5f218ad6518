#include "gladius/models/chat_template/ignored_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "gladius/tensor/base/error.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;

bool has_calls(const Json& message) {
  const auto calls = message.find("tool_calls");
  return calls != message.end() && !calls->is_null() && !calls->empty();
}

class Comparison {
 public:
  Comparison(const ChatTemplate& chat_template, const Conversation& conversation,
             const Json& variables, const Rendering& rendering)
      : chat_template_(chat_template),
        messages_(conversation.messages),
        tools_(conversation.tools),
        variables_(variables),
        rendering_(rendering) {}

  bool ignores_tools() const {
    if (tools_.is_null() || tools_.empty()) return false;
    const auto without = render(messages_, nullptr);
    return without && without->text == rendering_.text;
  }

  bool ignores_calls() const {
    if (std::ranges::none_of(messages_, has_calls)) return false;
    Json bare = messages_;
    for (Json& message : bare) message.erase("tool_calls");
    const auto without = render(bare, tools_);
    if (!without) return false;
    if (rendering_.origins.messages.empty()) return without->text == rendering_.text;
    const auto shown = turns(rendering_), left = turns(*without);
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (has_calls(messages_[i]) && shown[i] == left[i]) return true;
    }
    return false;
  }

  bool ignores_answers_of_tools() const {
    if (rendering_.origins.messages.empty()) return false;
    const auto shown = turns(rendering_);
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (messages_[i].at("role") != "tool" || !shown[i].empty()) continue;
      // Another message's turn may have shown it.
      const Json content = messages_[i].value("content", Json());
      if (content.is_string() &&
          rendering_.text.find(content.get<std::string>()) == std::string::npos)
        return true;
    }
    return false;
  }

 private:
  // Nothing where the template fails: what it misses it does not ignore.
  std::optional<Rendering> render(const Json& messages, const Json& tools) const {
    try {
      return render_chat_with_origins(chat_template_, messages, false, variables_, tools);
    } catch (const FormatError&) {
      return std::nullopt;
    }
  }

  // What each message's turn wrote.
  std::vector<std::string> turns(const Rendering& rendering) const {
    std::vector<std::string> out(messages_.size());
    for (const auto& [message, bytes] : rendering.origins.messages) {
      out[message] += rendering.text.substr(bytes.begin, bytes.end - bytes.begin);
    }
    return out;
  }

  const ChatTemplate& chat_template_;
  const Json& messages_;
  const Json& tools_;
  const Json& variables_;
  const Rendering& rendering_;
};

}  // namespace

std::vector<std::string> ignored_parts(const ChatTemplate& chat_template,
                                       const Conversation& conversation, const Json& variables,
                                       const Rendering& rendering) {
  const Comparison comparison(chat_template, conversation, variables, rendering);
  std::vector<std::string> parts;
  if (comparison.ignores_tools()) parts.emplace_back("\"tools\"");
  if (comparison.ignores_calls()) parts.emplace_back("\"tool_calls\"");
  if (comparison.ignores_answers_of_tools()) parts.emplace_back("messages of the role \"tool\"");
  return parts;
}

std::string ignored_parts_warning(const std::vector<std::string>& parts) {
  return fmt::format(
      "the chat template ignores {}; give the tokenizer a template that shows it "
      "(additional_chat_templates/tool_use.jinja)",
      fmt::join(parts, " and "));
}

}  // namespace gladius::text
