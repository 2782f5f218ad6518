#include "gladius/train/loop/input_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/models/rope_scaling.h"
#include "gladius/models/tokenizer/comparison.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/train/data/text_encoder.h"
#include "gladius/train/run/model_paths.h"
#include "gladius/train/teacher/aligned_teacher.h"
#include "gladius/train/teacher/teacher.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

// A tokenizer of a kind that is not supported may be any: sizes that agree say little.
text::TokenizerComparison compare(const ExpertConfig& expert, const fs::path& student) {
  try {
    return text::compare_tokenizers(student, find_model(expert.model).paths.tokenizer);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format(
        "expert {}: its tokenizer cannot be compared with the student's ({}), as \"vocabulary\": "
        "\"same\" asks; if they are the same, give both the same files, or set \"vocabulary\" to "
        "\"truncate\", which takes entries of one id for the same, whatever they mean",
        expert.name, error.what()));
  }
}

void require_same_tokenizer(const ExpertConfig& expert, const fs::path& student, const Say& info) {
  const text::TokenizerComparison compared = compare(expert, student);
  if (compared.difference) {
    const auto& [what, of_student, of_expert] = *compared.difference;
    throw ConfigError(fmt::format(
        "expert {}: its tokenizer is another than the student's: {} is {} in the student's ({}) "
        "and {} in the expert's; with \"vocabulary\": \"same\" they must be equal, so give the "
        "student "
        "the expert's tokenizer",
        expert.name, what, of_student, student.string(), of_expert));
  }
  if (!compared.note.empty()) info(fmt::format("expert {}: {}", expert.name, compared.note));
}

// False where nobody can say: `same` then refuses what it cannot compare.
bool has_another_tokenizer(const ExpertConfig& expert, const std::optional<fs::path>& student) try {
  if (!student || !text::has_tokenizer(*student)) return false;
  const fs::path of_expert = find_model(expert.model).paths.tokenizer;
  return text::has_tokenizer(of_expert) &&
         text::compare_tokenizers(*student, of_expert).difference.has_value();
} catch (const Error&) {
  return false;
}

// Most entries of two vocabularies mean different texts.
void warn_of_truncation(const ExpertConfig& expert, const fs::path& student,
                        std::int64_t vocabulary, const Say& warn) try {
  const std::int64_t shared =
      text::count_shared_entries(student, find_model(expert.model).paths.tokenizer, vocabulary);
  warn(fmt::format(
      "expert {}: \"vocabulary\": \"truncate\" compares the first {} entries of both, of which {} "
      "mean the same text under the same id in the student's tokenizer and the expert's{}",
      expert.name, format_count(vocabulary), format_count(shared),
      2 * shared < vocabulary ? "; what the expert says of the others is noise" : ""));
} catch (const ConfigError& error) {
  warn(fmt::format(
      "expert {}: \"vocabulary\": \"truncate\" compares the first {} entries of both by their ids; "
      "whether they mean the same text is not known ({})",
      expert.name, format_count(vocabulary), error.what()));
}

// What is compared of an expert that aligns.
const char* in_words(CrossLoss cross) {
  switch (cross) {
    case CrossLoss::project:
      break;
    case CrossLoss::alm:
      return "how likely it finds the pieces of text between shared borders is matched";
    case CrossLoss::uld:
      return "its sorted probabilities are compared at shared borders";
  }
  return "its distributions are projected onto the student's vocabulary";
}

void check_expert(const RunConfig& config, const ExpertConfig& expert, std::int64_t student_size,
                  const Say& info, const Say& warn) {
  const ModelPaths paths = find_model(expert.model).paths;
  const std::int64_t expert_size = ModelConfig::load(paths.config).vocab_size;
  const auto& student = config.student.tokenizer;
  const bool of_student = student && text::has_tokenizer(*student);
  const bool both = of_student && text::has_tokenizer(paths.tokenizer);
  check_vocabulary(expert, student_size, expert_size,
                   both && student_size != expert_size ? expert_entries(expert) : std::nullopt);
  const std::string without = of_student ? expert.model.string() : "the student";
  if (!both && expert.vocabulary == VocabularyMode::align) {
    throw ConfigError(fmt::format(
        "expert {}: \"vocabulary\": \"align\" compares texts, so both tokenizers must be there: {} "
        "has no tokenizer.json",
        expert.name, without));
  }
  if (!both) {
    info(
        fmt::format("expert {}: {} has no tokenizer.json, so only the sizes of the vocabularies "
                    "are compared, not what their entries mean",
                    expert.name, without));
  } else if (expert.vocabulary == VocabularyMode::align) {
    info(fmt::format("expert {}: it reads the texts through its own tokenizer, and {}", expert.name,
                     in_words(config.loss.cross)));
  } else if (expert.vocabulary != VocabularyMode::truncate) {
    require_same_tokenizer(expert, *student, info);
  } else {
    warn_of_truncation(expert, *student, std::min(student_size, expert_size), warn);
  }
}

// It would change nothing, and the run would pass for one that it is not.
void check_cross_loss(const RunConfig& config) {
  const auto aligns = [](const ExpertConfig& expert) {
    return expert.vocabulary == VocabularyMode::align;
  };
  if (config.loss.cross == CrossLoss::project || std::ranges::any_of(config.experts, aligns))
    return;
  throw ConfigError(fmt::format(
      "loss.cross is \"{}\", which is for experts with another vocabulary (\"vocabulary\": "
      "\"align\"), and this run has none{}; remove it",
      name_of(config.loss.cross),
      config.experts.empty() ? "" : ": each is compared entry by entry"));
}

// Likewise.
void check_divergence(const RunConfig& config) {
  if (config.loss.divergence == Divergence::forward_kl) return;
  const auto compared = [&](const ExpertConfig& expert) {
    return expert.vocabulary != VocabularyMode::align || config.loss.cross == CrossLoss::project;
  };
  if (std::ranges::any_of(config.experts, compared)) return;
  throw ConfigError(fmt::format(
      "loss.divergence is \"{}\", and this run has {}; remove it", name_of(config.loss.divergence),
      config.experts.empty()
          ? "no expert to differ from"
          : fmt::format("only experts with another vocabulary, where loss.cross \"{}\" takes its "
                        "place",
                        name_of(config.loss.cross))));
}

// The weights to start from know their own tokenizer's ids.
void check_student_tokenizer(const StudentConfig& student, const Say& warn) try {
  if (!student.init || !student.tokenizer) return;
  const fs::path of_weights = find_model(*student.init).paths.tokenizer;
  if (!text::has_tokenizer(of_weights)) return;
  const text::TokenizerComparison compared =
      text::compare_tokenizers(of_weights, *student.tokenizer);
  if (!compared.difference) return;
  const auto& [what, of_init, of_tokenizer] = *compared.difference;
  warn(
      fmt::format("student.init has another tokenizer than student.tokenizer: {} is {} in the one "
                  "and {} in the other; what the weights know of such ids is lost",
                  what, of_init, of_tokenizer));
} catch (const ConfigError& error) {
  warn(fmt::format("the tokenizers of student.init and student.tokenizer cannot be compared ({})",
                   error.what()));
}

// Its tokenizer and template are needed when its steps begin, which may be hours from now.
void check_reading(const ExpertConfig& expert, const text::Conversation* chat) try {
  const TextEncoder encoder(find_model(expert.model).paths.tokenizer);
  if (chat) encoder.tokenize_chat(*chat);
} catch (const ConfigError& error) {
  throw ConfigError(
      fmt::format("expert {}: it cannot read the data, as \"vocabulary\": \"align\" asks: {}",
                  expert.name, error.what()));
}

void check_length(const std::string& who, const ModelConfig& model, std::int64_t length) {
  const std::int64_t context = context_length(model.rope);
  if (length <= context) return;
  throw ConfigError(
      fmt::format("data.max_seq_len is {}, but {} has max_position_embeddings {}{}; set "
                  "data.max_seq_len to at most {}",
                  length, who, model.max_position_embeddings,
                  context == model.max_position_embeddings
                      ? ""
                      : fmt::format(", extended to {} by its rope scaling", context),
                  context));
}

// Why no example of `counts` has a label.
std::string reason(const RunConfig& config, const DataCounts& counts) {
  if (counts.lost_labels > 0) {
    return fmt::format("data.max_seq_len {} cuts off all {} of them", config.data.max_seq_len,
                       format_count(counts.lost_labels));
  }
  return config.data.loss_on == LossOn::assistant
             ? "data.loss_on is \"assistant\": no token is the assistant's, or every label is -100"
             : "every label is -100";
}

bool has_no_labels(const Dataset& data, const DataCounts& counts) {
  return data.in_memory() && counts.examples > 0 && counts.labels == 0;
}

}  // namespace

RunConfig settle_vocabularies(RunConfig config) {
  for (ExpertConfig& expert : config.experts) {
    if (expert.vocabulary != VocabularyMode::automatic) continue;
    expert.vocabulary = has_another_tokenizer(expert, config.student.tokenizer)
                            ? VocabularyMode::align
                            : VocabularyMode::same;
  }
  return config;
}

void check_vocabularies(const RunConfig& config, const ModelConfig& student, const Say& info,
                        const Say& warn) {
  check_cross_loss(config);
  check_divergence(config);
  check_student_tokenizer(config.student, warn);
  for (const ExpertConfig& expert : config.experts) {
    check_expert(config, expert, student.vocab_size, info, warn);
  }
}

void check_texts(const RunConfig& config, const Dataset& train) {
  const auto first = train.size() > 0 ? train.read(0) : nullptr;
  for (const ExpertConfig& expert : config.experts) {
    if (expert.vocabulary != VocabularyMode::align) continue;
    if (first && first->given_as_ids) throw_no_text(expert.name);
    check_reading(expert, first ? first->conversation.get() : nullptr);
  }
}

void check_sequence_length(const RunConfig& config, const ModelConfig& student) {
  check_length("the student", student, config.data.max_seq_len);
  for (const ExpertConfig& expert : config.experts) {
    check_length("expert " + expert.name, ModelConfig::load(find_model(expert.model).paths.config),
                 config.data.max_seq_len);
  }
}

void check_labels(const RunConfig& config, const Dataset& train, const Dataset* eval,
                  const Say& warn) {
  if (const DataCounts counts = train.counts(); has_no_labels(train, counts)) {
    const std::string none = fmt::format("data.train: none of its {} examples has a label ({})",
                                         format_count(counts.examples), reason(config, counts));
    if (!student_writes(config) && (config.experts.empty() || config.loss.alpha == 0 ||
                                    config.loss.tokens == LossTokens::labelled)) {
      throw ConfigError(none + ", so there is nothing to learn from");
    }
    if (config.loss.alpha < 1) warn(none + "; only the divergence from the experts trains");
  }
  if (!eval) return;
  if (const DataCounts counts = eval->counts(); has_no_labels(*eval, counts)) {
    throw ConfigError(fmt::format(
        "data.eval: none of its {} examples has a label ({}), so there is nothing to measure",
        format_count(counts.examples), reason(config, counts)));
  }
}

}  // namespace gladius::train
