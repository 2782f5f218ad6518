// Whether what a run file names goes together. Before anything is written, and before hours of
// work.
#pragma once

#include <functional>
#include <string>

#include "gladius/models/config.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

using Say = std::function<void(const std::string&)>;

/// The run with `auto` settled for each expert: `align` where its tokenizer is another than the
/// student's, else `same`.
RunConfig settle_vocabularies(RunConfig config);

/// ConfigError if an expert is to read texts (`align`) and the first example is given as ids, or
/// its tokenizer or chat template cannot read it.
void check_texts(const RunConfig& config, const Dataset& train);

/// ConfigError if `loss.cross` is chosen and no expert aligns. ConfigError if an expert's
/// vocabulary does not fit as its mode says (check_vocabulary), or with VocabularyMode::same its
/// tokenizer is another than the student's, in a line with the first difference, or the two cannot
/// be compared. `warn` is told how many entries truncated vocabularies share, and if the weights to
/// start from had another tokenizer; `info` where there are no tokenizers to compare.
void check_vocabularies(const RunConfig& config, const ModelConfig& student, const Say& info,
                        const Say& warn);

/// ConfigError if examples may be longer than the student or an expert has positions.
void check_sequence_length(const RunConfig& config, const ModelConfig& student);

/// ConfigError if no example has a label and nothing but labels train, or measure. Data that is not
/// held in memory is not known.
void check_labels(const RunConfig& config, const Dataset& train, const Dataset* eval,
                  const Say& warn);

}  // namespace gladius::train
