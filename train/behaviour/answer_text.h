// An answer's text as the rules read it: folded, its JSON, whether it refuses.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gladius::train {

/// The answer behind what a reasoning model thought, `<think>...</think>`, without white space
/// around it; "" for one that does not end its thoughts.
std::string_view without_thoughts(std::string_view output);

/// Without white space around it, in lower case, each run of white space as one space (Unicode's).
std::string folded(std::string_view text);

/// The JSON value that the text is, be it within a code fence; nothing where
/// there is anything else beside it. Numbers as in parse_json.
std::optional<nlohmann::ordered_json> read_json_answer(std::string_view text);

/// Whether one of refusal_phrases() begins within the first kRefusalBegins bytes of the folded
/// answer (typographic apostrophes count as '). An answer that makes a call is for the caller to
/// rule out.
bool sounds_like_refusal(std::string_view answer);
inline constexpr std::size_t kRefusalBegins = 200;

/// The phrases, folded.
std::span<const std::string_view> refusal_phrases();

}  // namespace gladius::train
