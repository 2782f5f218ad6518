#include "gladius/train/loop/on_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "gladius/models/generation/generate_batch.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/tensor/random.h"

namespace gladius::train {
namespace {

// Streams of random numbers of one seed.
enum class Stream : std::uint32_t { choice = 0x6f6e, answers = 0x706f };

std::uint64_t random_bits(std::uint64_t seed, std::int64_t step, std::int64_t sequence,
                          Stream stream) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto at = static_cast<std::uint64_t>(step);
  const auto bits = philox4x32({low(at), low(at >> 32U), low(static_cast<std::uint64_t>(sequence)),
                                static_cast<std::uint32_t>(stream)},
                               {low(seed), low(seed >> 32U)});
  return (std::uint64_t{bits[0]} << 32U) | bits[1];
}

std::optional<text::Conversation> prompt_of_example(const Example& example) {
  if (!example.conversation) return {};
  return prompt_of(*example.conversation);
}

// A prompt that is to be answered.
struct Place {
  std::size_t batch;
  std::int64_t sequence;
  std::int64_t prompt, before;  // tokens of the prompt, and of the data's sequence
};

}  // namespace

std::optional<text::Conversation> prompt_of(const text::Conversation& conversation) {
  text::Conversation prompt = conversation;
  auto& messages = prompt.messages;
  for (std::size_t i = messages.size(); i-- > 0;) {
    if (messages[i].value("role", "") != "assistant") continue;
    messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(i), messages.end());
    break;
  }
  if (messages.empty()) return {};
  return prompt;
}

std::uint64_t on_policy_cache_bytes(const LanguageModel& student, std::int64_t max_seq_len) {
  const double bytes = static_cast<double>(kOwnBatch) * static_cast<double>(max_seq_len) *
                       static_cast<double>(student.pass_sizes().cached) * sizeof(float);
  return static_cast<std::uint64_t>(std::min(bytes, 0x1p60));
}

void check_on_policy(const RunConfig& config, const Dataset& train) {
  const auto expert = std::ranges::find_if(
      config.experts, [](const ExpertConfig& one) { return one.on_policy > 0; });
  if (expert == config.experts.end()) return;
  const auto refuse = [&](const std::string& why) {
    throw ConfigError(
        fmt::format("expert {}: on_policy {} has the student answer conversations, "
                    "{}",
                    expert->name, expert->on_policy, why));
  };
  if (!config.student.tokenizer || !train.encoder()) {
    refuse("in the form of a chat template, and student.tokenizer is null");
  }
  std::optional<OnPolicy> student;
  try {
    student.emplace(config, *expert, *train.encoder(), 0, [](const std::string&) {});
  } catch (const ConfigError& error) {
    refuse(fmt::format("and {}", error.what()));
  }
  constexpr std::int64_t kLookedAt = 10'000;
  const std::int64_t count = std::min(train.size(), kLookedAt);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto example = train.read(i);
    if (example && student->can_answer(*example)) return;
  }
  refuse(fmt::format(
      "and none of the {}{} examples of data.train is one with a prompt that leaves "
      "room for an answer in data.max_seq_len {} (texts and ids have no prompt)",
      count < train.size() ? "first " : "", format_count(count), config.data.max_seq_len));
}

OnPolicy::OnPolicy(const RunConfig& config, const ExpertConfig& expert, const TextEncoder& encoder,
                   std::int64_t vocabulary, const Warn& warn)
    : share_(expert.on_policy),
      seed_(static_cast<std::uint64_t>(config.seed)),
      max_seq_len_(config.data.max_seq_len),
      most_tokens_(config.batch_size * config.data.max_seq_len),
      vocabulary_(vocabulary),
      by_text_(expert.vocabulary == VocabularyMode::align),
      encoder_(encoder),
      chat_(config.student.tokenizer.value(), encoder.tokenizer(), warn),
      options_{.sampling = {.temperature = kOwnTemperature},
               .max_new_tokens = kOwnTokens,
               .eos_token_ids = ModelConfig::load(config.student.config).eos_token_ids} {
  for (const std::int32_t id : chat_.stop_tokens()) options_.eos_token_ids.push_back(id);
}

bool OnPolicy::can_answer(const Example& example) {
  const auto prompt = prompt_of_example(example);
  return prompt && prompt_ids(*prompt);
}

std::vector<OwnAnswer> OnPolicy::write(const LanguageModel& student,
                                       const std::vector<Batch*>& batches, std::int64_t first) {
  std::vector<Ids> prompts;
  std::vector<Place> places;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const std::vector<std::int64_t> lengths = batches[i]->lengths();
    for (std::int64_t sequence = 0; sequence < std::ssize(lengths); ++sequence) {
      const auto& chat = batches[i]->conversations.at(static_cast<std::size_t>(sequence));
      if (!chat || !is_chosen(first + static_cast<std::int64_t>(i), sequence)) continue;
      const auto prompt = prompt_of(*chat);
      auto ids = prompt ? prompt_ids(*prompt) : std::nullopt;
      if (!ids) continue;
      places.push_back(
          {i, sequence, std::ssize(*ids), lengths[static_cast<std::size_t>(sequence)]});
      prompts.push_back(std::move(*ids));
    }
  }
  if (prompts.empty()) return {};
  GenerateOptions options = options_;
  options.seed = random_bits(seed_, first, 0, Stream::answers);
  std::vector<Ids> answers = generate_batch(student, prompts, options, kOwnBatch);
  std::vector<std::int64_t> free;  // of each micro-batch
  for (const Batch* batch : batches) free.push_back(most_tokens_ - batch->tokens());
  std::vector<OwnAnswer> own;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto& [batch, sequence, prompt, before] = places[i];
    const std::int64_t room = std::min(free[batch] + before, max_seq_len_) - prompt;
    Ids ids = usable(std::move(answers[i]), room);
    if (ids.empty()) continue;
    free[batch] -= prompt + std::ssize(ids) - before;
    own.push_back({first + static_cast<std::int64_t>(batch), sequence, std::move(ids)});
  }
  return own;
}

void OnPolicy::put(const std::vector<OwnAnswer>& answers, const std::vector<Batch*>& batches,
                   std::int64_t first) {
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const std::int64_t step = first + static_cast<std::int64_t>(i);
    std::vector<Example> examples = batches[i]->examples();
    bool changed = false;
    for (const OwnAnswer& answer : answers) {
      if (answer.step != step) continue;
      const bool is_there = answer.sequence >= 0 && answer.sequence < std::ssize(examples) &&
                            usable(answer.ids, std::ssize(answer.ids)) == answer.ids;
      const auto prompt =
          is_there ? prompt_of_example(examples[static_cast<std::size_t>(answer.sequence)])
                   : std::nullopt;
      auto ids = prompt ? prompt_ids(*prompt) : std::nullopt;
      if (!ids) {
        throw FormatError(
            fmt::format("\"own_answers\": sequence {} of step {} is no conversation that the "
                        "student answers so",
                        answer.sequence, step));
      }
      Example& example = examples[static_cast<std::size_t>(answer.sequence)];
      example.prompt = std::ssize(*ids);
      ids->insert(ids->end(), answer.ids.begin(), answer.ids.end());
      example.labels.assign(ids->size(), kNoLabel);
      example.ids = std::move(*ids);
      example.conversation = std::make_shared<const text::Conversation>(*prompt);
      changed = true;
    }
    if (!changed) continue;
    std::vector<const Example*> sequences;
    for (const Example& example : examples) sequences.push_back(&example);
    *batches[i] = pack(sequences);
  }
}

bool OnPolicy::is_chosen(std::int64_t step, std::int64_t sequence) const {
  const std::uint64_t bits = random_bits(seed_, step, sequence, Stream::choice);
  return std::ldexp(static_cast<double>(bits >> 11U), -53) < share_;
}

// Nothing for one that leaves no room.
std::optional<OnPolicy::Ids> OnPolicy::prompt_ids(const text::Conversation& prompt) {
  Ids ids = chat_.encode(prompt);
  if (ids.empty() || std::ssize(ids) >= max_seq_len_) return {};
  return ids;
}

OnPolicy::Ids OnPolicy::usable(Ids answer, std::int64_t room) const {
  const auto is_unusable = [this](std::int32_t id) {
    if (id >= vocabulary_) return true;
    return by_text_ && encoder_.tokenizer().is_special(id) && !options_.ends_after(id);
  };
  const auto end = std::ranges::find_if(answer, is_unusable) - answer.begin();
  answer.resize(static_cast<std::size_t>(
      std::min(static_cast<std::int64_t>(end), std::max<std::int64_t>(room, 0))));
  return answer;
}

}  // namespace gladius::train
