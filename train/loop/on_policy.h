// Sequences that the student finishes itself and the teacher grades: generalised knowledge
// distillation (Agarwal et al. 2023, arXiv:2306.13649).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/chat_template/conversation.h"
#include "gladius/models/generation/generate.h"
#include "gladius/models/language_model.h"
#include "gladius/train/behaviour/chat_prompts.h"
#include "gladius/train/data/batch.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/data/text_encoder.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/trainer_state.h"

namespace gladius::train {

/// The most tokens of an answer of the student's, how many it writes at once, and how it chooses:
/// from its whole distribution at this temperature.
inline constexpr std::int64_t kOwnTokens = 128, kOwnBatch = 16;
inline constexpr double kOwnTemperature = 1;

/// All of a conversation before the last message of the assistant's, and what follows it; the whole
/// one if it has none. Nothing if no message is left.
std::optional<text::Conversation> prompt_of(const text::Conversation& conversation);

/// For the largest batch of answers. `student`: its parameters need no memory yet.
std::uint64_t on_policy_cache_bytes(const LanguageModel& student, std::int64_t max_seq_len);

/// ConfigError where an expert's `on_policy` asks for what the data or the student's tokenizer
/// does not have.
void check_on_policy(const RunConfig& config, const Dataset& train);

/// The answers that a student writes for one expert. Which of the conversations it answers follows
/// from the seed, the step and the place in the micro-batch; a conversation whose prompt fills
/// data.max_seq_len, a text and an example given as ids stay as they are. For one thread at a time.
class OnPolicy {
 public:
  using Warn = std::function<void(const std::string&)>;

  /// `encoder` is of config.student.tokenizer. An answer ends before the first token that is not
  /// below `vocabulary` (the expert could not read it) and, if the expert reads through a tokenizer
  /// of its own, before a special token that is no end. Errors of ChatPrompts.
  OnPolicy(const RunConfig& config, const ExpertConfig& expert, const TextEncoder& encoder,
           std::int64_t vocabulary, const Warn& warn);

  /// Whether it is a conversation with a prompt that leaves room for an answer.
  bool can_answer(const Example& example);
  /// The student, as it is, answers all conversations that are chosen of these micro-batches, the
  /// first of which is of step `first`. An answer takes no more room than data.max_seq_len leaves
  /// its sequence, and all of a micro-batch no more than batch_size such sequences have.
  std::vector<OwnAnswer> write(const LanguageModel& student, const std::vector<Batch*>& batches,
                               std::int64_t first);
  /// Puts answers in the place of the data's: prompt and answer without labels. Those of earlier
  /// steps are passed over. FormatError for one that is of no conversation there.
  void put(const std::vector<OwnAnswer>& answers, const std::vector<Batch*>& batches,
           std::int64_t first);

 private:
  using Ids = std::vector<std::int32_t>;

  bool is_chosen(std::int64_t step, std::int64_t sequence) const;
  std::optional<Ids> prompt_ids(const text::Conversation& prompt);
  Ids usable(Ids answer, std::int64_t room) const;

  double share_;
  std::uint64_t seed_;
  std::int64_t max_seq_len_, most_tokens_, vocabulary_;
  bool by_text_;
  const TextEncoder& encoder_;
  ChatPrompts chat_;
  GenerateOptions options_;
};

}  // namespace gladius::train
