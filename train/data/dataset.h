// The sequences of data files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/train/data/data_counts.h"
#include "gladius/train/data/example.h"
#include "gladius/train/data/example_options.h"
#include "gladius/train/data/example_source.h"
#include "gladius/train/data/text_encoder.h"

namespace gladius::train {

struct DatasetOptions {
  std::int64_t max_seq_len = 512;
  LossOn loss_on = LossOn::all;
  std::int64_t vocab_size = 0;  // of the model: ids and labels lie below
  OnBadLine on_bad_line = OnBadLine::fail;
  /// Examples keep their conversations, for teachers with another chat template.
  bool keep_conversations = false;
  /// Told of the tokenizer's notes, of the first ten bad lines that are skipped, and of the
  /// first lines of which the chat template does not show all, and once of each column that is
  /// skipped though it may mean something (other_columns.h). By one thread at a time; it must
  /// not read from the data.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

/// Examples by number. Only the first 8 MiB are held in memory; the rest is read and tokenized when
/// it is asked for. Const methods may be called from several threads.
class Dataset {
 public:
  /// In memory.
  Dataset(std::vector<Example> examples);

  /// The examples of several files in the order given; patterns stand for the files that match (see
  /// expand_patterns).
  ///
  /// Of a `.jsonl` file each line that is not blank is an example: {"text": ...}, {"messages":
  /// [...]} (with "tools" if there are any) or {"input_ids": [...], "labels": [...]} (labels[i] is
  /// the token to predict at position i, -100 for none; left out, each token predicts the next).
  /// Null counts as missing. Beside ids padding is taken out (padding.h). Other keys are passed
  /// over; what is longer than max_seq_len is cut. A `.txt` file is one long
  /// text, cut into pieces of max_seq_len (text_pieces.h). With LossOn::assistant only tokens of
  /// assistant messages have labels; lines of other kinds keep all of theirs.
  ///
  /// `encoder` may be null if all is given as ids. IoError, ConfigError for another extension or
  /// where a tokenizer is missing, and FormatError "FILE:LINE: ..." for a bad line, now if it is
  /// among the examples held in memory, else when it is read.
  static Dataset open(const std::vector<std::filesystem::path>& files,
                      std::shared_ptr<const TextEncoder> encoder, const DatasetOptions& options);

  /// For messages: "a.jsonl", "a.jsonl and 2 more"; "the data" where there is no file.
  const std::string& name() const { return name_; }
  /// What the ids are the tokens of; null where that is not known.
  const std::shared_ptr<const TextEncoder>& encoder() const { return encoder_; }
  /// Examples, bad lines included.
  std::int64_t size() const { return starts_.back(); }
  /// Whether all are held in memory.
  bool in_memory() const { return static_cast<std::int64_t>(first_.size()) == size(); }
  /// Of the examples held in memory.
  DataCounts counts() const;
  /// Null for a bad line that is skipped.
  std::shared_ptr<const Example> read(std::int64_t index) const;

 private:
  Dataset(std::vector<std::unique_ptr<ExampleSource>> sources, DatasetOptions options);
  std::shared_ptr<const Example> load(std::int64_t index) const;
  Example read_from_source(std::int64_t index) const;
  void warn_of_bad_line(const FormatError& error) const;
  void warn_of(const ExampleSource& source, std::int64_t index, const Example& example) const;
  void hold_first();

  std::string name_ = "the data";
  std::shared_ptr<const TextEncoder> encoder_;
  std::vector<std::unique_ptr<ExampleSource>> sources_;
  std::vector<std::int64_t> starts_;  // first example of each source, and the number of all
  DatasetOptions options_;
  std::vector<std::shared_ptr<const Example>> first_;

  // What options_.warn was told.
  struct Told {
    std::mutex mutex;  // held for all of this, and while it is told
    int bad_lines = 0;
    std::set<std::string> notes;  // of examples
    std::int64_t ignoring = 0;    // examples of which the template does not show all
  };
  std::unique_ptr<Told> told_ = std::make_unique<Told>();  // a dataset can be moved, a mutex not
};

}  // namespace gladius::train
