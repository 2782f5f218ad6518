#include "gladius/train/data/assistant_spans.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gladius/tensor/base/error.h"
#include "gladius/train/data/message_weights.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::size_t leading_space(std::string_view text) {
  return std::min(text.find_first_not_of(" \t\r\n"), text.size());
}

bool is_assistants(const Json& message) { return message.at("role") == "assistant"; }

// Whether its tokens have labels.
bool counts(const Json& message) { return is_assistants(message) && is_learned(message); }

text::ByteSpan make_span(std::size_t begin, std::size_t end) {
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

class Finder {
 public:
  Finder(const ChatFormat& format, const text::Conversation& conversation)
      : format_(format), messages_(conversation.messages), tools_(conversation.tools) {}

  std::vector<text::ByteSpan> in_turns(const text::Rendering& rendering) const {
    const std::string prompt = generation_prompt();
    std::vector<text::ByteSpan> spans;
    std::optional<std::size_t> before;
    for (const auto& [message, bytes] : rendering.origins.messages) {
      if (counts(messages_[message])) {
        const auto turn =
            std::string_view(rendering.text).substr(bytes.begin, bytes.end - bytes.begin);
        const std::size_t header = before == message ? 0 : header_size(turn, prompt);
        spans.push_back(make_span(bytes.begin + header, bytes.end));
      }
      before = message;
    }
    return spans;
  }

  // What the template marks, without the turns of messages that are not learned.
  std::vector<text::ByteSpan> marked(const text::Rendering& rendering) const {
    std::vector<text::ByteSpan> spans = rendering.origins.generated;
    std::ranges::sort(spans, {}, &text::ByteSpan::begin);
    if (are_learned(messages_)) return spans;
    if (rendering.origins.messages.empty()) {
      throw ConfigError(
          "the chat template does not show which messages its {% generation %} blocks belong to, "
          "so \"train\": false and \"weight\": 0 of messages cannot be followed");
    }
    for (const auto& [message, turn] : rendering.origins.messages) {
      if (is_learned(messages_[message])) continue;
      std::erase_if(spans, [&](const text::ByteSpan& span) {
        return span.begin >= turn.begin && span.end <= turn.end;
      });
    }
    return spans;
  }

  // By what each message adds to the text. Nothing precedes a first message: its header counts too.
  // (Templates need not take an empty conversation.)
  std::vector<text::ByteSpan> by_prefixes(const std::string& text) const {
    std::vector<text::ByteSpan> spans;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (!counts(messages_[i])) continue;
      const bool stands = i == 0 || text.starts_with(render(i, false));
      const std::string through = render(i + 1, false);
      if (!stands || !text.starts_with(through)) refuse(i);
      spans.push_back(
          make_span(i == 0 ? 0 : common_prefix(render(i, true), through), through.size()));
    }
    return spans;
  }

 private:
  std::string render(std::size_t count, bool with_prompt) const {
    const Json first(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(count));
    return text::render_chat(format_.chat_template, first, with_prompt, format_.variables, tools_);
  }

  // What the template asks the assistant with, behind what precedes its first message if the
  // template takes that much alone.
  std::string generation_prompt() const {
    const auto first = std::ranges::find_if(messages_, is_assistants);
    for (const auto count : {first - messages_.begin(), messages_.end() - messages_.begin()}) {
      try {
        if (count > 0) return prompt_behind(static_cast<std::size_t>(count));
      } catch (const FormatError&) {  // the template's own: it refuses such a conversation
      }
    }
    return "";
  }

  std::string prompt_behind(std::size_t count) const {
    const std::string asking = render(count, true);
    return asking.substr(common_prefix(asking, render(count, false)));
  }

  // Bytes of a turn that the generation prompt gives: all of it, or its first tokens (where it goes
  // on with "<think>", say, and the turn does not). White space around it is not compared.
  std::size_t header_size(std::string_view turn, const std::string& prompt) const {
    const std::size_t turn_begin = leading_space(turn), prompt_begin = leading_space(prompt);
    const std::size_t common =
        common_prefix(turn.substr(turn_begin), std::string_view(prompt).substr(prompt_begin));
    std::size_t prompt_end = prompt_begin + common;
    if (prompt_end < prompt.size()) prompt_end = token_end(prompt, prompt_end);
    return prompt_end > prompt_begin ? turn_begin + prompt_end - prompt_begin : 0;
  }

  // The last end of a token that is not behind `place`.
  std::size_t token_end(const std::string& text, std::size_t place) const {
    std::size_t end = 0;
    for (const text::ByteSpan& span : format_.tokenizer.encode_with_spans(text, false).spans) {
      if (span.end <= place) end = std::max<std::size_t>(end, span.end);
    }
    return end;
  }

  [[noreturn]] static void refuse(std::size_t message) {
    throw ConfigError(
        fmt::format("what the assistant wrote in message {} cannot be told from the rest of the "
                    "chat template's text; mark it in the template with {{% generation %}} and "
                    "{{% endgeneration %}}",
                    message + 1));
  }

  const ChatFormat& format_;
  const Json& messages_;
  const Json& tools_;
};

}  // namespace

std::vector<text::ByteSpan> assistant_spans(const ChatFormat& format,
                                            const text::Conversation& conversation,
                                            const text::Rendering& rendering) {
  const Finder finder(format, conversation);
  if (format.chat_template.marks_generation()) return finder.marked(rendering);
  return rendering.origins.messages.empty() ? finder.by_prefixes(rendering.text)
                                            : finder.in_turns(rendering);
}

}  // namespace gladius::train
