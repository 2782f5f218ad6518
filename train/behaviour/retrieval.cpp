#include "gladius/train/behaviour/retrieval.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/train/behaviour/answer_text.h"
#include "gladius/train/behaviour/scores.h"

namespace gladius::train {
namespace {

constexpr std::string_view kColours[] = {"amber",  "azure",  "black", "bronze", "copper", "crimson",
                                         "green",  "indigo", "ivory", "orange", "purple", "red",
                                         "silver", "teal",   "white", "yellow"};
constexpr std::string_view kThings[] = {
    "lantern", "kettle", "violin",   "compass", "ladder",   "mirror", "anchor",  "drawer",
    "teapot",  "hammer", "suitcase", "clock",   "umbrella", "candle", "bicycle", "helmet"};
constexpr std::string_view kKinds[] = {"old",  "young", "tired", "careful", "cheerful", "quiet",
                                       "busy", "tall",  "shy",   "patient", "curious",  "proud"};
constexpr std::string_view kPeople[] = {"baker",  "sailor",  "teacher", "farmer",
                                        "doctor", "painter", "driver",  "gardener",
                                        "singer", "student", "tailor",  "postman"};
constexpr std::string_view kActs[] = {
    "carries a basket",   "reads a letter",  "tells a story",   "buys some bread",
    "waits for a friend", "looks for a map", "feeds the birds", "hums a melody",
    "counts the boats",   "repairs a fence", "draws a picture", "sells some apples"};
constexpr std::string_view kPlaces[] = {
    "along the quiet river",   "near the small church",  "behind the station",
    "in the narrow street",    "under the stone bridge", "at the edge of the forest",
    "by the harbour",          "on the wide square",     "beside the mill",
    "in front of the library", "on top of the hill",     "close to the market"};
constexpr std::string_view kTimes[] = {"every morning", "after the rain", "in the evening",
                                       "before lunch",  "on Sundays",     "in early spring",
                                       "late at night", "during the fair"};

// The fewest tokens that a sentence of filler can have.
constexpr std::int64_t kSentenceTokens = 5;

std::string_view pick(std::span<const std::string_view> words, Generator& generator) {
  return words[static_cast<std::size_t>(generator.randint(0, std::ssize(words)))];
}

text::Conversation as_conversation(std::string prompt) {
  return {.messages = {{{"role", "user"}, {"content", std::move(prompt)}}}, .tools = nullptr};
}

// The prompt of as many sentences as fit.
std::string fitted_prompt(RetrievalText& text, std::int64_t length, ChatPrompts& chat) {
  const auto tokens = [&](std::int64_t sentences) {
    return std::ssize(chat.encode(as_conversation(text.prompt(sentences))));
  };
  if (const auto least = tokens(0); least > length) {
    throw ConfigError(fmt::format("--lengths {}: the facts and the question alone have {} tokens",
                                  length, least));
  }
  std::int64_t fit = 0, too_many = length / kSentenceTokens + 1;
  while (too_many - fit > 1) {
    const std::int64_t middle = fit + (too_many - fit) / 2;
    (tokens(middle) <= length ? fit : too_many) = middle;
  }
  return text.prompt(fit);
}

// Of an answer that has one number: whether there is nothing else in it.
bool is_number_alone(std::string_view answer) {
  if (answer.ends_with('.')) answer.remove_suffix(1);
  return std::ranges::all_of(answer, [](char c) { return c >= '0' && c <= '9'; });
}

// A text without another number than this.
Pattern only_number(const std::string& number) { return Pattern("^\\D*" + number + "\\D*$"); }

}  // namespace

RetrievalText::RetrievalText(const RetrievalOptions& options, std::int64_t length,
                             std::int64_t depth, std::int64_t number) {
  std::uint64_t seed = options.seed;
  for (const std::int64_t part : {length, depth, number}) {
    const auto mixed =
        philox4x32({static_cast<std::uint32_t>(part), 0, 0, 0},
                   {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    seed = mixed[0] | std::uint64_t{mixed[1]} << 32;
  }
  generator_.manual_seed(seed);
  std::set<std::string> keys, values;
  while (std::ssize(keys) <= options.distractors) {
    const std::string_view colour = pick(kColours, generator_), thing = pick(kThings, generator_);
    const std::string key = fmt::format("{} {}", colour, thing);
    if (!keys.insert(key).second) continue;
    std::string value = fmt::format("{}", generator_.randint(10'000, 100'000));
    while (!values.insert(value).second) {
      value = fmt::format("{}", generator_.randint(10'000, 100'000));
    }
    const bool asked = facts_.empty();
    facts_.emplace_back(asked ? static_cast<double>(depth) / 100 : generator_.uniform(),
                        fmt::format("The code of the {} is {}.", key, value));
    if (!asked) continue;
    value_ = value;
    question_ = fmt::format("What is the code of the {}? Answer with the code alone.", key);
  }
}

std::string RetrievalText::sentence() {
  const std::string_view kind = pick(kKinds, generator_), person = pick(kPeople, generator_),
                         act = pick(kActs, generator_), place = pick(kPlaces, generator_);
  return fmt::format("The {} {} {} {} {}.", kind, person, act, place, pick(kTimes, generator_));
}

std::string RetrievalText::prompt(std::int64_t sentences) {
  while (std::ssize(filler_) < sentences) filler_.push_back(sentence());
  std::vector<std::pair<std::int64_t, std::string_view>> facts;
  for (const auto& [share, fact] : facts_) {
    facts.emplace_back(std::llround(share * static_cast<double>(sentences)), fact);
  }
  // The one that is asked for is the outermost where others are at the same place.
  const bool first = facts_.front().first < 0.5;
  if (!first) std::ranges::rotate(facts, facts.begin() + 1);
  std::ranges::stable_sort(facts, {}, &std::pair<std::int64_t, std::string_view>::first);
  std::string text = "Read this text and remember the codes in it.\n\n";
  auto fact = facts.begin();
  for (std::int64_t i = 0; i <= sentences; ++i) {
    for (; fact != facts.end() && fact->first == i; ++fact) text += std::string(fact->second) + " ";
    if (i < sentences) text += filler_[static_cast<std::size_t>(i)] + " ";
  }
  text.back() = '\n';
  return text + "\n" + question_;
}

Suite make_retrieval_suite(const RetrievalOptions& options, ChatPrompts& chat,
                           const std::function<void()>& on_case) {
  Suite suite;
  for (const std::int64_t length : options.lengths) {
    for (const std::int64_t depth : options.depths) {
      for (std::int64_t number = 0; number < options.cases; ++number) {
        RetrievalText text(options, length, depth, number);
        suite.cases.push_back({.id = fmt::format("{}-{}-{}", length, depth, number),
                               .category = fmt::format("{} tokens, {}%", length, depth),
                               .conversation = as_conversation(fitted_prompt(text, length, chat)),
                               .expected = ExpectedMatch{only_number(text.value())}});
        if (on_case) on_case();
      }
    }
  }
  return suite;
}

std::vector<RetrievalScore> score_retrieval(const RetrievalOptions& options,
                                            const SuiteEvaluation& evaluation) {
  std::vector<RetrievalScore> scores;
  std::size_t next = 0;
  for (const std::int64_t length : options.lengths) {
    for (const std::int64_t depth : options.depths) {
      RetrievalScore& score = scores.emplace_back();
      score.length = length;
      score.depth = depth;
      for (; score.cases < options.cases; ++score.cases, ++next) {
        const auto& [answer, verdict] = evaluation.answers.at(next);
        score.right += verdict.right;
        score.alone += verdict.right && is_number_alone(without_thoughts(answer.text));
      }
    }
  }
  return scores;
}

nlohmann::ordered_json RetrievalScore::to_json() const {
  const Interval interval = wilson_interval(right, cases);
  return {{"length", length}, {"depth", depth}, {"cases", cases},
          {"right", right},   {"alone", alone}, {"interval", {interval.low, interval.high}}};
}

}  // namespace gladius::train
