// A .jsonl file, an example a line.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "gladius/train/data/example_parser.h"
#include "gladius/train/data/example_source.h"

namespace gladius::train {

/// Keeps where the lines begin, 8 bytes a line that is not blank, and reads a line when it is asked
/// for; the file must stay as it is. Errors are "FILE:LINE: ..."; IoError when the file cannot be
/// read or was changed. A line may have 64 MiB.
class JsonLines : public ExampleSource {
 public:
  JsonLines(std::filesystem::path file, std::shared_ptr<const ExampleParser> parser);

  std::int64_t size() const override { return static_cast<std::int64_t>(begins_.size()) - 1; }
  Example read(std::int64_t index) const override;
  std::string place(std::int64_t index) const override;

  /// Calls `use` with the line, and puts file and line before what its errors say. For lines that
  /// are to be something else than examples (`parser` may then be null).
  void use_line(std::int64_t index, const std::function<void(const std::string&)>& use) const;

 private:
  std::string line(std::int64_t index) const;
  std::int64_t line_number(std::int64_t index) const;

  std::filesystem::path file_;
  std::shared_ptr<const ExampleParser> parser_;
  std::deque<std::uint64_t> begins_;  // and the file's end; no vector, which grows by copying
};

}  // namespace gladius::train
