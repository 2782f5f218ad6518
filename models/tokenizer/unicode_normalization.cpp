#include "gladius/models/tokenizer/unicode_normalization.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "gladius/models/tokenizer/newer_characters.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius::text {
namespace {

// No character from here on decomposes or composes; a few have a combining class (none).
constexpr char32_t kEnd = 0x30000;

// A character, and how many characters of the source it uses up.
struct Mark {
  utf8proc_int32_t value;
  int combining_class;
  std::size_t used;
};

// The reference normalizes with the tables of Unicode 9, so that marks assigned since have no
// combining class there. These are the ones up to Unicode 14, and U+11938, a composition.
constexpr char32_t kSinceUnicode9[][2] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
    {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},
    {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x10D24, 0x10D27},
    {0x10EAB, 0x10EAC}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070},
    {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11938, 0x11938},
    {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45},
    {0x11D97, 0x11D97}, {0x16FF0, 0x16FF1}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}};

bool unknown_to_reference(utf8proc_int32_t value) {
  const auto c = static_cast<char32_t>(value);
  const auto holds = [c](const char32_t(&range)[2]) { return range[0] <= c && c <= range[1]; };
  return c >= kSinceUnicode9[0][0] &&
         (std::ranges::any_of(kSinceUnicode9, holds) || is_newer_character(c));
}

int combining_class(utf8proc_int32_t value) {
  const int combining_class = utf8proc_get_property(value)->combining_class;
  return combining_class != 0 && unknown_to_reference(value) ? 0 : combining_class;
}

// Compatibility decompositions that are newer than Unicode 9.
constexpr char32_t kCompatibleSinceUnicode9[][2] = {
    {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x10785},
    {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

bool is_compatible_form(UnicodeForm form) {
  return form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
}
bool composes(UnicodeForm form) { return form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc; }

using Parts = std::array<utf8proc_int32_t, 20>;  // U+FDFA has 18

// The parts of a character in `parts`; their number.
std::size_t decompose(char32_t value, UnicodeForm form, Parts& parts) {
  const auto character = static_cast<utf8proc_int32_t>(value);
  const auto holds = [value](const char32_t(&range)[2]) {
    return range[0] <= value && value <= range[1];
  };
  parts[0] = character;
  if (unknown_to_reference(character)) return 1;
  const bool compatible =
      is_compatible_form(form) && std::ranges::none_of(kCompatibleSinceUnicode9, holds);
  const auto options = static_cast<utf8proc_option_t>(
      compatible ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE);
  int boundary = 0;
  const auto count =
      utf8proc_decompose_char(character, parts.data(), std::ssize(parts), options, &boundary);
  if (count >= 1 && count <= std::ssize(parts)) return static_cast<std::size_t>(count);
  parts[0] = character;
  return 1;
}

// The character that the two make up, or -1.
utf8proc_int32_t compose(utf8proc_int32_t first, utf8proc_int32_t second) {
  utf8proc_int32_t pair[2] = {first, second};
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  const bool composes = utf8proc_normalize_utf32(pair, 2, options) == 1;
  return composes && !unknown_to_reference(pair[0]) ? pair[0] : -1;
}

// Characters that normalization leaves alone and that begin a new segment: class 0, as they are in
// this form, and never the second part of a composition ("NFC_Quick_Check=Yes, ccc=0").
std::vector<bool> find_stable(UnicodeForm form) {
  std::vector<bool> stable(kEnd, true);
  for (char32_t c = 0x80; c < kEnd; ++c) {
    const auto character = static_cast<utf8proc_int32_t>(c);
    Parts parts;
    const std::size_t count = decompose(c, form, parts);
    if (combining_class(character) != 0) stable[c] = false;
    if (count == 1 && parts[0] == character) continue;
    utf8proc_int32_t whole = parts[0];
    for (std::size_t i = 1; i < count && whole >= 0; ++i) whole = compose(whole, parts[i]);
    if (count == 1 || !composes(form) || whole != character) {
      stable[c] = false;
      continue;
    }
    for (std::size_t i = 1; i < count; ++i) stable[static_cast<std::size_t>(parts[i])] = false;
  }
  return stable;
}

// The stable characters of a form.
class StableCharacters {
 public:
  explicit StableCharacters(UnicodeForm form)
      : first_unstable_(form == UnicodeForm::kNfc ? 0x300 : 0x80), stable_(find_stable(form)) {}

  static const StableCharacters& of(UnicodeForm form) {
    switch (form) {
      case UnicodeForm::kNfc: {
        static const StableCharacters nfc(UnicodeForm::kNfc);
        return nfc;
      }
      case UnicodeForm::kNfd: {
        static const StableCharacters nfd(UnicodeForm::kNfd);
        return nfd;
      }
      case UnicodeForm::kNfkc: {
        static const StableCharacters nfkc(UnicodeForm::kNfkc);
        return nfkc;
      }
      default: {
        static const StableCharacters nfkd(UnicodeForm::kNfkd);
        return nfkd;
      }
    }
  }

  bool at(std::string_view text, std::size_t pos) const {
    const auto lead = static_cast<unsigned char>(text[pos]);
    if (lead < 0x80 || (lead < 0xCC && first_unstable_ == 0x300)) return true;
    const char32_t value = utf8::code_point(text, pos);
    return value < first_unstable_ || value >= kEnd || stable_[value];
  }

 private:
  char32_t first_unstable_;
  std::vector<bool> stable_;
};

std::vector<Mark> decompose_sorted(std::string_view segment, UnicodeForm form) {
  std::vector<Mark> marks;
  for (std::size_t pos = 0; pos < segment.size(); pos += utf8::char_length(segment[pos])) {
    Parts parts;
    const std::size_t count = decompose(utf8::code_point(segment, pos), form, parts);
    for (std::size_t i = 0; i < count; ++i) {
      marks.push_back({parts[i], combining_class(parts[i]), i == 0 ? 1u : 0u});
    }
  }
  for (auto begin = marks.begin(); begin != marks.end();) {
    const auto starter = [](const Mark& mark) { return mark.combining_class == 0; };
    begin = std::find_if_not(begin, marks.end(), starter);
    const auto end = std::find_if(begin, marks.end(), starter);
    std::stable_sort(begin, end, [](const Mark& a, const Mark& b) {
      return a.combining_class < b.combining_class;
    });
    begin = end;
  }
  return marks;
}

// Joins each mark to the last starter unless a mark between them, of the same class or higher,
// blocks it.
void compose_marks(std::vector<Mark>& marks) {
  std::size_t kept = 0, starter = marks.size();
  int last_class = 0;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const Mark mark = marks[i];
    const bool adjacent = starter < kept && starter + 1 == kept;
    if (starter < kept && (adjacent || last_class < mark.combining_class)) {
      if (const auto whole = compose(marks[starter].value, mark.value); whole >= 0) {
        marks[starter].value = whole;
        marks[starter].used += mark.used;
        continue;
      }
    }
    if (mark.combining_class == 0) starter = kept;
    last_class = mark.combining_class;
    marks[kept++] = mark;
  }
  marks.resize(kept);
}

void normalize_segment(const AlignedText& text, std::size_t begin, std::size_t end,
                       UnicodeForm form, AlignedText& out) {
  const std::string_view segment = std::string_view(text.bytes()).substr(begin, end - begin);
  std::vector<Mark> marks = decompose_sorted(segment, form);
  if (composes(form)) compose_marks(marks);
  std::size_t pos = begin, previous = begin;
  for (const Mark& mark : marks) {
    if (mark.used > 0) previous = pos;
    const std::size_t size = utf8::char_length(text.bytes()[previous]);
    std::string character;
    utf8::append(character, static_cast<char32_t>(mark.value));
    out.append(character, text.span(previous, previous + size));
    for (std::size_t i = 0; i < mark.used; ++i) {
      previous = pos;
      pos += utf8::char_length(text.bytes()[pos]);
    }
  }
}

}  // namespace

AlignedText normalize_unicode(AlignedText text, UnicodeForm form) {
  const StableCharacters& stable = StableCharacters::of(form);
  const std::string& bytes = text.bytes();
  AlignedText out(text.tracked());
  std::size_t copied = 0, before = 0;  // `before` is the start of the character before `pos`
  for (std::size_t pos = 0; pos < bytes.size();) {
    if (stable.at(bytes, pos)) {
      before = pos;
      pos += utf8::char_length(bytes[pos]);
      continue;
    }
    std::size_t end = pos;
    while (end < bytes.size() && !stable.at(bytes, end)) {
      end += utf8::char_length(bytes[end]);
    }
    out.append(text, copied, before);
    normalize_segment(text, before, end, form, out);
    copied = before = pos = end;
  }
  if (copied == 0) return text;
  out.append(text, copied, bytes.size());
  return out;
}

}  // namespace gladius::text
