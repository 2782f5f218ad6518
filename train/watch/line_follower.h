// A file of lines that grows while it is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace gladius::train {

/// What a file has beyond what was taken before.
struct NewLines {
  bool started_over = false;  // forget what was taken: `text` is the file's begin
  bool more = false;          // look again: there is more than was read at once
  std::string text;           // complete lines
  std::uint64_t offset = 0;   // of the first of them, in bytes
  std::int64_t line = 1;      // the same in lines, from 1
};

/// Reads a file as it grows. A run that resumes cuts its file to a checkpoint and writes other
/// lines, which is noticed by the end of what was read. For one thread at a time.
class LineFollower {
 public:
  explicit LineFollower(std::filesystem::path path) : path_(std::move(path)) {}

  /// Complete lines only, of 4 MiB at once; none where there is no file. The same again until they
  /// are taken. IoError.
  NewLines look();
  /// What look() gave, of `lines` lines, is dealt with.
  void take(const NewLines& seen, std::int64_t lines);
  /// Bytes of the file as it is; fewer where it has become shorter. IoError.
  std::string bytes(std::uint64_t begin, std::uint64_t count) const;

 private:
  bool is_same(std::uint64_t size) const;

  std::filesystem::path path_;
  bool started_over_ = false;  // since the last lines were taken
  std::uint64_t offset_ = 0;   // of the first byte that was not taken
  std::int64_t lines_ = 0;     // taken before it
  std::string end_;            // of what was taken
};

}  // namespace gladius::train
