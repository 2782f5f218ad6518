#include "gladius/train/data/json_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/train/data/file_blocks.h"

namespace gladius::train {
namespace {

constexpr std::uint64_t kMaxLine = std::uint64_t{64} << 20;

}  // namespace

JsonLines::JsonLines(std::filesystem::path file, std::shared_ptr<const ExampleParser> parser)
    : file_(std::move(file)), parser_(std::move(parser)) {
  const std::uint64_t size = size_of(open_regular_file(file_), file_);
  std::uint64_t line_begin = 0;
  bool blank = true;  // the current line, so far
  for_each_block(file_, size, [&](std::uint64_t offset, std::string_view block) {
    for (std::size_t i = 0; i < block.size();) {
      if (blank) i = std::min(block.find_first_not_of(" \t\r", i), block.size());
      if (i == block.size()) break;
      if (blank && block[i] != '\n') {
        begins_.push_back(line_begin);
        blank = false;
      }
      i = std::min(block.find('\n', i), block.size());
      if (i == block.size()) break;
      line_begin = offset + ++i;
      blank = true;
    }
  });
  begins_.push_back(size);
}

Example JsonLines::read(std::int64_t index) const {
  Example example;
  use_line(index, [&](const std::string& line) { example = parser_->parse(line); });
  return example;
}

void JsonLines::use_line(std::int64_t index,
                         const std::function<void(const std::string&)>& use) const {
  try {
    use(line(index));
  } catch (const IoError&) {
    throw;
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", place(index), error.what()));
  } catch (const Error& error) {
    throw FormatError(fmt::format("{}: {}", place(index), error.what()));
  }
}

std::string JsonLines::place(std::int64_t index) const {
  return fmt::format("{}:{}", file_.string(), line_number(index));
}

std::string JsonLines::line(std::int64_t index) const {
  const std::uint64_t begin = begins_[static_cast<std::size_t>(index)],
                      end = begins_[static_cast<std::size_t>(index) + 1];
  // Blank lines before the next one count here; a file has few.
  if (end - begin > kMaxLine) throw FormatError("the line is longer than 64 MiB");
  std::string text(static_cast<std::size_t>(end - begin), '\0');
  const std::size_t count =
      read_at(open_regular_file(file_), begin, std::as_writable_bytes(std::span(text)), file_);
  if (count != text.size()) {
    throw IoError(fmt::format("{} has become shorter since it was opened", file_.string()));
  }
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

// Needed for errors alone, so not kept.
std::int64_t JsonLines::line_number(std::int64_t index) const {
  std::int64_t line = 1;
  for_each_block(
      file_, begins_[static_cast<std::size_t>(index)],
      [&](std::uint64_t, std::string_view block) { line += std::ranges::count(block, '\n'); });
  return line;
}

}  // namespace gladius::train
