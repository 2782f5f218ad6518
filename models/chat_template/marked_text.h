// Text as a template writes it, with the places of what comes from where.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "gladius/models/chat_template/rendering.h"
#include "gladius/models/chat_template/value.h"

namespace gladius::text::jinja {

class MarkedText {
 public:
  std::size_t size() const { return rendering_.text.size(); }
  void append(std::string_view text) { rendering_.text += text; }
  /// Text with places of its own, which go before those of the current message.
  void append(std::string_view text, const Origins& origins);

  /// The message whose turn it is, or nothing.
  std::optional<std::size_t> message() const { return message_; }
  /// From here on.
  void set_message(std::optional<std::size_t> message);
  /// From byte `begin` to here a {% generation %} block wrote.
  void mark_generated(std::size_t begin) { rendering_.origins.generated.push_back(span(begin)); }

  /// The whole; nothing is left here.
  Rendering take();

 private:
  ByteSpan span(std::size_t begin) const;
  void end_span(std::size_t end);

  Rendering rendering_;
  std::optional<std::size_t> message_;
  std::size_t begin_ = 0;  // of the current message's span
};

/// What macros and blocks wrote: values that are printed later, perhaps more than once.
class CapturedTexts {
 public:
  /// The text as a value.
  Value keep(Budget& budget, Rendering part);
  /// None for a text that was made in another way.
  const Origins& origins_of(const std::string& text) const;

 private:
  // By the text, which the value keeps alive.
  std::unordered_map<const std::string*, std::pair<Value, Origins>> kept_;
};

/// Tells which message a turn of a loop is about.
class Messages {
 public:
  /// `messages` is the template's variable of that name, or null.
  explicit Messages(const Value* messages);

  /// The message that element `turn` of `items` is, whatever list was made of them; where there is
  /// no `outer` one, its number if `items` are the numbers of all messages; else `outer`.
  std::optional<std::size_t> of_turn(const Elements& items, std::size_t turn,
                                     std::optional<std::size_t> outer) const;

 private:
  std::unordered_map<const Dict*, std::size_t> numbers_;
};

}  // namespace gladius::text::jinja
