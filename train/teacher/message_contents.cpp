#include "gladius/train/teacher/message_contents.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// What of a message a template may write, the longest first.
std::vector<std::string> candidates(const Json& message) {
  const auto content = message.find("content");
  if (content == message.end() || !content->is_string()) return {};
  const auto& text = content->get_ref<const std::string&>();
  std::vector<std::string> found{std::string(trimmed(text))};
  constexpr std::string_view kThought = "</think>";
  if (const std::size_t end = text.rfind(kThought); end != std::string::npos) {
    found.emplace_back(trimmed(std::string_view(text).substr(end + kThought.size())));
  }
  std::erase(found, "");
  return found;
}

// The messages' texts in order, each behind the last: in its message's turn where the template
// shows that.
class Reader {
 public:
  explicit Reader(const text::Rendering& rendering) : rendering_(rendering) {}

  std::optional<text::ByteSpan> find(std::size_t message, const std::string& text) const {
    std::size_t begin = last_, end = rendering_.text.size();
    for (const text::MessageSpan& turn : rendering_.origins.messages) {
      if (turn.message != message) continue;
      begin = std::max<std::size_t>(begin, turn.bytes.begin), end = turn.bytes.end;
      break;
    }
    const std::size_t at = rendering_.text.find(text, begin);
    if (at == std::string::npos || at + text.size() > end) return {};
    return text::ByteSpan{static_cast<std::uint32_t>(at),
                          static_cast<std::uint32_t>(at + text.size())};
  }

  void pass(text::ByteSpan span) { last_ = span.end; }

 private:
  const text::Rendering& rendering_;
  std::size_t last_ = 0;
};

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  const std::size_t end = text.find_last_not_of(kSpace);
  return text.substr(begin, end == std::string_view::npos ? 0 : end + 1 - begin);
}

std::optional<text::ByteSpan> find_last_content(const text::Conversation& conversation,
                                                const text::Rendering& rendering,
                                                std::string_view content) {
  const std::size_t last = conversation.messages.size() - 1;
  const bool shows_turns = std::ranges::any_of(
      rendering.origins.messages, [&](const auto& turn) { return turn.message == last; });
  if (shows_turns) return Reader(rendering).find(last, std::string(content));
  const std::size_t at = rendering.text.rfind(content);
  if (at == std::string::npos) return {};
  return text::ByteSpan{static_cast<std::uint32_t>(at),
                        static_cast<std::uint32_t>(at + content.size())};
}

std::pair<std::vector<text::ByteSpan>, std::vector<text::ByteSpan>> shared_contents(
    const text::Conversation& conversation, const text::Rendering& first,
    const text::Rendering& second) {
  std::pair<std::vector<text::ByteSpan>, std::vector<text::ByteSpan>> spans;
  Reader ours(first), theirs(second);
  for (std::size_t message = 0; message < conversation.messages.size(); ++message) {
    for (const std::string& text : candidates(conversation.messages[message])) {
      const auto here = ours.find(message, text), there = theirs.find(message, text);
      if (!here || !there) continue;
      ours.pass(*here), theirs.pass(*there);
      spans.first.push_back(*here), spans.second.push_back(*there);
      break;
    }
  }
  return spans;
}

}  // namespace gladius::train
