#include "gladius/models/chat_template/source.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::text::jinja {
namespace {

constexpr std::size_t kContext = 60;  // bytes either side; some templates are one long line

bool inside_character(const std::string& text, std::size_t pos) {
  return pos < text.size() && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80;
}

// The line around `offset`, shortened at both ends.
std::string excerpt(const std::string& text, std::size_t offset) {
  std::size_t begin = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;
  std::size_t end = std::min(text.find('\n', offset), text.size());
  while (begin < offset && text[begin] == ' ') ++begin;
  const bool cut_begin = offset - begin > kContext;
  const bool cut_end = end - offset > kContext;
  if (cut_begin) begin = offset - kContext;
  if (cut_end) end = offset + kContext;
  while (inside_character(text, begin)) ++begin;
  while (inside_character(text, end)) ++end;
  return fmt::format("{}{}{}", cut_begin ? "..." : "", text.substr(begin, end - begin),
                     cut_end ? "..." : "");
}

}  // namespace

void Source::raise(const Failure& failure, std::size_t offset) const {
  offset = std::min(offset, text.size());
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
  const std::string where = fmt::format("{} line {}: {}", name, line, shortened(failure.message));
  if (failure.kind == FailureKind::kRaised) throw FormatError(where);
  const std::string shown = fmt::format("{}, in `{}`", where, printable(excerpt(text, offset)));
  if (failure.kind == FailureKind::kUnsupported) throw ConfigError(shown);
  throw FormatError(shown);
}

Source make_source(std::string text, std::string name) {
  if (const auto bad = utf8::find_invalid(text); bad != std::string::npos) {
    throw FormatError(fmt::format("{}: byte {} is not UTF-8", name, bad));
  }
  text = utf8::replace_all(utf8::replace_all(text, "\r\n", "\n"), "\r", "\n");
  if (text.ends_with('\n')) text.pop_back();
  return {std::move(name), std::move(text)};
}

}  // namespace gladius::text::jinja
