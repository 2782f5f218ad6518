#include "gladius/train/loop/run_inputs.h"

#include <algorithm>

#include "gladius/train/data/batch_stream.h"
#include "gladius/train/loop/alignment_file.h"
#include "gladius/train/loop/input_checks.h"
#include "gladius/train/loop/on_policy.h"
#include "gladius/train/loop/student.h"
#include "gladius/train/run/memory.h"

namespace gladius::train {
namespace {

bool has_aligned_expert(const RunConfig& config) {
  return std::ranges::any_of(config.experts, [](const ExpertConfig& expert) {
    return expert.vocabulary == VocabularyMode::align;
  });
}

Dataset open_data(const std::vector<std::filesystem::path>& files, const RunConfig& config,
                  std::shared_ptr<const TextEncoder> encoder, std::int64_t vocab_size,
                  const RunEvents& events) {
  return Dataset::open(files, std::move(encoder),
                       {.max_seq_len = config.data.max_seq_len,
                        .loss_on = config.data.loss_on,
                        .vocab_size = vocab_size,
                        .on_bad_line = config.data.on_bad_line,
                        .keep_conversations = student_writes(config) || has_aligned_expert(config),
                        .warn = events.warn});
}

void check_memory(const RunConfig& config, const LanguageModel& student, const Dataset& examples,
                  const RunEvents& events) {
  const auto available = available_memory();
  if (!config.check_memory || !available) return;
  const bool writes = student_writes(config);
  const std::int64_t most = config.batch_size * config.data.max_seq_len;
  MemoryNeed need = estimate_memory(config, student,
                                    writes ? most : largest_batch(examples, batch_options(config)));
  if (writes) need.cache = on_policy_cache_bytes(student, config.data.max_seq_len);
  require_memory(need, *available);
  if (need.required() + need.expert > available->bytes) {
    events.warn(
        "the experts' weights do not fit the memory beside the run; they will be read from "
        "the disk at every step");
  }
}

}  // namespace

BatchOptions batch_options(const RunConfig& config) {
  return {.batch_size = config.batch_size,
          .packing = config.data.packing,
          .max_seq_len = config.data.max_seq_len,
          .shuffle = config.data.shuffle,
          .seed = static_cast<std::uint64_t>(config.seed)};
}

RunInputs read_inputs(const RunConfig& config, const RunEvents& events) {
  const ModelConfig student = ModelConfig::load(config.student.config);
  check_vocabularies(config, student, events.info, events.warn);
  check_sequence_length(config, student);
  std::shared_ptr<const TextEncoder> encoder;
  if (config.student.tokenizer) {
    encoder = std::make_shared<const TextEncoder>(*config.student.tokenizer);
  }
  Dataset examples = open_data(config.data.train, config, encoder, student.vocab_size, events);
  check_texts(config, examples);
  check_on_policy(config, examples);
  std::optional<Dataset> eval;
  if (!config.data.eval.empty()) {
    eval = open_data(config.data.eval, config, encoder, student.vocab_size, events);
  }
  check_labels(config, examples, eval ? &*eval : nullptr, events.warn);
  std::optional<SuiteCheck> suite;
  if (config.eval_suite) suite.emplace(config, events);
  std::optional<StudentSamples> samples;
  if (config.sample_every > 0) samples.emplace(config, events);
  std::shared_ptr<const Example> shown_text;
  if (has_aligned_expert(config) && eval) shown_text = first_text(*eval);
  if (has_aligned_expert(config) && !shown_text) shown_text = first_text(examples);
  DataLog data_log(config, examples, eval ? &*eval : nullptr);
  check_memory(config, *make_language_model(student), examples, events);
  std::shared_ptr<LanguageModel> model = make_student(config.student, events.warn);
  std::optional<InitFromSummary> taken;
  if (config.student.init_from) {
    taken = take_layers(*model, config.student, events.info, events.warn);
  }
  return {.student = std::move(model),
          .init_from = std::move(taken),
          .examples = std::move(examples),
          .eval_examples = std::move(eval),
          .data_log = std::move(data_log),
          .suite = std::move(suite),
          .samples = std::move(samples),
          .shown_text = std::move(shown_text)};
}

}  // namespace gladius::train
