#include "gladius/models/chat_template/end_of_turn.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "gladius/tensor/base/error.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;

// Nothing that a template would look into or change.
constexpr std::string_view kAnswer = "Gladius";

// What the template writes behind an answer, with or without another message after it.
std::optional<std::string> text_behind_answer(const ChatTemplate& chat_template,
                                              const Json& special_tokens, bool followed) {
  Json messages{{{"role", "user"}, {"content", "a"}},
                {{"role", "assistant"}, {"content", kAnswer}}};
  if (followed) messages.push_back({{"role", "user"}, {"content", "a"}});
  try {
    const std::string text =
        render_chat(chat_template, messages, /*add_generation_prompt=*/false, special_tokens);
    const std::size_t answer = text.rfind(kAnswer);
    if (answer == std::string::npos) return std::nullopt;
    return text.substr(answer + kAnswer.size());
  } catch (const Error&) {  // a template that takes no such conversation tells nothing of its end
    return std::nullopt;
  }
}

// Special by its flag, or by its form: <|im_end|> is not flagged everywhere.
bool is_marker(const Tokenizer& tokenizer, std::int32_t id, const std::string& text) {
  if (tokenizer.is_special(id)) return true;
  const std::string& token = tokenizer.id_to_token(id);
  return token.starts_with("<|") && token.ends_with("|>") && text.find(token) != std::string::npos;
}

}  // namespace

std::vector<std::int32_t> end_of_turn_tokens(const ChatTemplate& chat_template,
                                             const Json& special_tokens,
                                             const Tokenizer& tokenizer) {
  std::vector<std::int32_t> ids;
  const auto add = [&](std::int32_t id) {
    if (id >= 0 && std::ranges::count(ids, id) == 0) ids.push_back(id);
  };
  if (special_tokens.contains("eos_token")) {
    add(tokenizer.token_to_id(special_tokens.at("eos_token").get<std::string>()));
  }
  for (const bool followed : {false, true}) {
    const auto text = text_behind_answer(chat_template, special_tokens, followed);
    if (!text) continue;
    const std::vector<std::int32_t> behind = tokenizer.encode(*text, /*add_special_tokens=*/false);
    const auto marker = std::ranges::find_if(
        behind, [&](std::int32_t id) { return is_marker(tokenizer, id, *text); });
    if (marker != behind.end()) add(*marker);
  }
  return ids;
}

}  // namespace gladius::text
