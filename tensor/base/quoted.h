// Outside text in messages: what files, tensors, templates and command lines say.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gladius {

/// The most bytes of outside text that one place of a message shows, quotes included.
inline constexpr std::size_t kMostQuoted = 200;

/// `text` on one line that a terminal can show: control characters, line and paragraph separators,
/// marks that reverse the direction of writing, and bytes that are not UTF-8 become escapes as in
/// C. For text that is quoted already, and for whole messages.
std::string printable(std::string_view text);

/// printable(), at most kMostQuoted bytes; "..." stands for what was cut. For JSON values.
std::string shortened(std::string_view text);

/// `text` in double quotes: "name", printable and with \" and \\, at most kMostQuoted bytes in all;
/// "..." after the closing quote says that it was cut. (Not "quoted": std::quoted would be found
/// before it for a std::string.)
std::string in_quotes(std::string_view text);

}  // namespace gladius
