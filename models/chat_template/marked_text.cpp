#include "gladius/models/chat_template/marked_text.h"

#include <cstdint>
#include <utility>
#include <variant>

namespace gladius::text::jinja {
namespace {

ByteSpan moved(const ByteSpan& span, std::size_t by) {
  const auto offset = static_cast<std::uint32_t>(by);  // texts are below kMaxText
  return {span.begin + offset, span.end + offset};
}

}  // namespace

void MarkedText::append(std::string_view text, const Origins& origins) {
  const std::size_t base = size();
  for (const ByteSpan& span : origins.generated) {
    rendering_.origins.generated.push_back(moved(span, base));
  }
  for (const MessageSpan& span : origins.messages) {
    end_span(base + span.bytes.begin);
    rendering_.origins.messages.push_back({span.message, moved(span.bytes, base)});
    begin_ = base + span.bytes.end;
  }
  append(text);
}

void MarkedText::set_message(std::optional<std::size_t> message) {
  if (message == message_) return;
  end_span(size());
  message_ = message;
  begin_ = size();
}

Rendering MarkedText::take() {
  set_message(std::nullopt);
  return std::exchange(rendering_, {});
}

ByteSpan MarkedText::span(std::size_t begin) const {
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(size())};
}

void MarkedText::end_span(std::size_t end) {
  if (!message_ || end <= begin_) return;
  rendering_.origins.messages.push_back(
      {*message_, {static_cast<std::uint32_t>(begin_), static_cast<std::uint32_t>(end)}});
}

Value CapturedTexts::keep(Budget& budget, Rendering part) {
  Value text(std::move(part.text));
  if (part.origins.empty()) return text;
  budget.step(kKeptSteps);
  kept_.emplace(text.text(), std::pair(text, std::move(part.origins)));
  return text;
}

const Origins& CapturedTexts::origins_of(const std::string& text) const {
  static const Origins none;
  const auto found = kept_.find(&text);
  return found == kept_.end() ? none : found->second.second;
}

Messages::Messages(const Value* messages) {
  const Sequence* list = messages ? messages->sequence() : nullptr;
  if (list == nullptr) return;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    if (const Dict* message = list->items[i].dict()) numbers_.emplace(message, i);
  }
}

std::optional<std::size_t> Messages::of_turn(const Elements& items, std::size_t turn,
                                             std::optional<std::size_t> outer) const {
  if (const Dict* dict = items[turn].dict()) {
    const auto found = numbers_.find(dict);
    return found == numbers_.end() ? outer : std::optional(found->second);
  }
  const auto* number = std::get_if<std::int64_t>(&items[turn].data());
  const bool numbered = !outer && number && items.size() == numbers_.size();
  return numbered && *number == static_cast<std::int64_t>(turn) ? std::optional(turn) : outer;
}

}  // namespace gladius::text::jinja
