// The scalars of metrics.jsonl for TensorBoard.
#pragma once

#include <filesystem>
#include <vector>

#include "gladius/tensor/base/append_file.h"
#include "gladius/train/run/metrics.h"

namespace gladius::train {

/// An event file being written, an event a step. It has what metrics.jsonl has, neither more nor
/// less: a resumed run cuts it to the steps that its metrics begin with, so that a
/// TensorBoard that is looking on sees each step once. (Other writers begin a file for each process
/// and let the reader drop what is there twice.)
class EventFile {
 public:
  /// Creates the file, or keeps its events as far as they are those of `records`, drops the others
  /// and adds what is missing with the present time. IoError.
  EventFile(const std::filesystem::path& path, const std::vector<StepRecord>& records);

  /// The event is with the operating system when this returns. IoError.
  void append(const StepRecord& record);
  /// Everything to disk. IoError.
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
};

}  // namespace gladius::train
