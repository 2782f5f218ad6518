// The sequences of a data file.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "gladius/train/data/example.h"
#include "gladius/train/data/text_encoder.h"
#include "gladius/train/run_config.h"

namespace gladius {

struct DatasetOptions {
  std::int64_t max_seq_len = 512;
  LossOn loss_on = LossOn::all;
  std::int64_t vocab_size = 0;  // of the model: ids and labels lie below
};

/// Reads a file into memory, as token ids.
///
/// Of a `.jsonl` file each line that is not blank is an example: {"text": ...}, {"messages": [...]}
/// (with "tools" if there are any) or {"input_ids": [...], "labels": [...]} (labels[i] is the token
/// to predict at position i, -100 for none; left out, each token predicts the next). Other keys are
/// passed over; what is longer than max_seq_len is cut. A `.txt` file is one long text, cut into
/// pieces of max_seq_len. With LossOn::assistant only tokens of assistant messages have labels;
/// lines of other kinds keep all of theirs.
///
/// `encoder` may be null if all is given as ids. IoError, ConfigError for another extension or
/// where a tokenizer is missing, and FormatError "FILE:LINE: ..." for a bad line.
std::vector<Example> load_dataset(const std::filesystem::path& file, const TextEncoder* encoder,
                                  const DatasetOptions& options);

}  // namespace gladius
