#include "gladius/train/behaviour/answer_text.h"

#include <algorithm>

#include "gladius/models/chat_template/text.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFence = "```";

// What a student of the default data, and models of others, begin refusals with.
constexpr std::string_view kRefusals[] = {
    "i can't",
    "i cannot",
    "i can not",
    "i won't",
    "i will not",
    "i'm not able to",
    "i am not able to",
    "i'm unable to",
    "i am unable to",
    "i'm not going to",
    "i am not going to",
    "i must decline",
    "i have to decline",
    "i decline",
    "i refuse",
    "i must refuse",
    "i shouldn't",
    "i should not",
    "not something i can",
    "not something i will",
    "i'm sorry, but",
    "i am sorry, but",
    "kann ich nicht",
    "ich kann nicht",
    "ich kann dir nicht",
    "ich kann ihnen nicht",
    "ich kann dabei nicht",
    "werde ich nicht",
    "ich werde nicht",
};
// "I can't wait to help you" is none.
constexpr std::string_view kNoRefusal = "i can't wait";

std::string_view trimmed(std::string_view text) {
  return text::jinja::strip(text, std::nullopt, /*left=*/true, /*right=*/true);
}

// The inside of a code fence that is the whole text, else the text.
std::string_view without_fence(std::string_view text) {
  if (!text.starts_with(kFence) || !text.ends_with(kFence)) return text;
  const std::size_t line_end = text.find('\n');
  if (line_end == text.npos || text.size() < line_end + kFence.size()) return text;
  text.remove_prefix(line_end);
  text.remove_suffix(kFence.size());
  return trimmed(text);
}

}  // namespace

std::string_view without_thoughts(std::string_view output) {
  constexpr std::string_view kBegin = "<think>", kEnd = "</think>";
  const std::size_t end = output.rfind(kEnd);
  if (end != output.npos) return trimmed(output.substr(end + kEnd.size()));
  const std::string_view answer = trimmed(output);
  return answer.starts_with(kBegin) ? std::string_view() : answer;
}

std::string folded(std::string_view text) {
  std::string out;
  const std::string lower = text::jinja::to_lower(trimmed(text));
  bool space = false;
  for (std::size_t pos = 0; pos < lower.size();) {
    const std::size_t length = utf8::char_length(lower[pos]);
    const bool was_space = space;
    space = text::jinja::is_space(utf8::code_point(lower, pos));
    if (!space) {
      out.append(lower, pos, length);
    } else if (!was_space) {
      out += ' ';
    }
    pos += length;
  }
  return out;
}

std::optional<Json> read_json_answer(std::string_view text) {
  try {
    return parse_json(without_fence(trimmed(text)));
  } catch (const FormatError&) {
    return std::nullopt;
  }
}

bool sounds_like_refusal(std::string_view answer) {
  const std::string text =
      utf8::replace_all(utf8::replace_all(folded(answer), "\u2019", "'"), kNoRefusal, "");
  return std::ranges::any_of(kRefusals, [&](std::string_view phrase) {
    return text.find(phrase) <= std::min(kRefusalBegins, text.size());
  });
}

std::span<const std::string_view> refusal_phrases() { return kRefusals; }

}  // namespace gladius::train
