#include "gladius/train/loop/student_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/train/data/data_files.h"
#include "gladius/train/loop/on_policy.h"

namespace gladius::train {
namespace {

using Ids = std::vector<std::int32_t>;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kLinesLookedAt = 1000;  // of a file

// The conversation of a line of data; nothing if it has none (what is wrong with a line is said by
// who trains on it).
std::optional<text::Conversation> conversation_of(const std::string& line) {
  try {
    const Json json = Json::parse(line);
    if (!json.is_object() || !json.contains("messages")) return {};
    return text::parse_conversation(json);
  } catch (const std::exception&) {
    return {};
  }
}

// What the first chats of the files ask, until `take` has enough and says false.
void visit_questions(const std::vector<std::filesystem::path>& patterns,
                     const std::function<bool(text::Conversation)>& take) {
  for (const std::filesystem::path& file : expand_patterns(patterns)) {
    if (file.extension() != ".jsonl") continue;
    std::ifstream in(file, std::ios::binary);
    std::string line;
    for (std::int64_t i = 0; i < kLinesLookedAt && std::getline(in, line); ++i) {
      const auto chat = conversation_of(line);
      auto question = chat ? prompt_of(*chat) : std::nullopt;
      if (question && !take(std::move(*question))) return;
    }
  }
}

// Nothing where the template fails.
std::optional<Ids> encoded(ChatPrompts& chat, const text::Conversation& conversation) {
  try {
    return chat.encode(conversation);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

StudentSamples::StudentSamples(const RunConfig& config, const RunEvents& events)
    : every_(config.sample_every),
      prompts_(config, "sample_every", kSampleTokens, events,
               [&](ChatPrompts& chat) { return choose_prompts(config, chat); }) {}

bool StudentSamples::is_time(std::int64_t done, std::int64_t total) const {
  return done == total || done % every_ == 0;
}

std::optional<StepSamples> StudentSamples::take(const LanguageModel& student, std::int64_t step,
                                                const RunEvents& events) const {
  events.evaluating("samples of the student");
  const auto answers = prompts_.answer(student, events);
  if (!answers) return {};
  StepSamples taken{.step = step, .samples = {}};
  for (std::size_t i = 0; i < answers->size(); ++i) {
    taken.samples.push_back({.messages = conversations_[i].messages,
                             .answer = (*answers)[i].text,
                             .cut = (*answers)[i].cut});
  }
  return taken;
}

std::vector<Ids> StudentSamples::choose_prompts(const RunConfig& config, ChatPrompts& chat) {
  std::vector<Ids> prompts;
  for (const std::string& text : config.sample_prompts) {
    conversations_.push_back(
        {.messages = Json::array({{{"role", "user"}, {"content", text}}}), .tools = nullptr});
    prompts.push_back(chat.encode(conversations_.back()));
    if (std::ssize(prompts.back()) < config.data.max_seq_len) continue;
    throw ConfigError(fmt::format("sample_prompts.{}: it has {} tokens, and data.max_seq_len is {}",
                                  prompts.size() - 1, format_count(std::ssize(prompts.back())),
                                  format_count(config.data.max_seq_len)));
  }
  if (!prompts.empty()) return prompts;
  const auto take = [&](text::Conversation question) {
    auto ids = encoded(chat, question);
    const bool is_new = ids && std::ranges::find(prompts, *ids) == prompts.end();
    if (is_new && !ids->empty() && std::ssize(*ids) < config.data.max_seq_len) {
      conversations_.push_back(std::move(question));
      prompts.push_back(std::move(*ids));
    }
    return std::ssize(prompts) < kSamplePrompts;
  };
  visit_questions(config.data.eval, take);
  if (prompts.empty()) visit_questions(config.data.train, take);
  if (!prompts.empty()) return prompts;
  throw ConfigError(
      fmt::format("sample_every: the first {} lines of the data's files have no chat to take "
                  "prompts from; give \"sample_prompts\"",
                  format_count(kLinesLookedAt)));
}

}  // namespace gladius::train
