// Samples of a run's student.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gladius/models/chat_template/conversation.h"
#include "gladius/models/language_model.h"
#include "gladius/train/loop/student_prompts.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_events.h"
#include "gladius/train/run/samples.h"

namespace gladius::train {

/// The prompts that a run takes from its data, and the most tokens of an answer.
inline constexpr std::int64_t kSamplePrompts = 4, kSampleTokens = 64;

/// `sample_every`: every so many steps, and at the end, the student answers `sample_prompts`, or
/// what the first chats of data.eval (else of data.train) ask. A run with samples has the same
/// weights, to the bit, as one without. For one thread at a time.
class StudentSamples {
 public:
  /// Errors of StudentPrompts; ConfigError for a prompt that fills data.max_seq_len, and where the
  /// data has no chats to take prompts from.
  StudentSamples(const RunConfig& config, const RunEvents& events);

  /// Whether samples are due when `done` of `total` steps are done.
  bool is_time(std::int64_t done, std::int64_t total) const;
  /// Of the student as step number `step` has left it. Nothing if a stop was asked for.
  std::optional<StepSamples> take(const LanguageModel& student, std::int64_t step,
                                  const RunEvents& events) const;

 private:
  std::vector<std::vector<std::int32_t>> choose_prompts(const RunConfig& config, ChatPrompts& chat);

  std::int64_t every_;
  std::vector<text::Conversation> conversations_;  // that are answered
  StudentPrompts prompts_;
};

}  // namespace gladius::train
