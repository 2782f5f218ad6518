#include "gladius/train/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gladius/models/chat_template/ignored_parts.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/data/data_files.h"
#include "gladius/train/data/example_parser.h"
#include "gladius/train/data/json_lines.h"
#include "gladius/train/data/text_pieces.h"

namespace gladius::train {
namespace {

constexpr std::size_t kHeldBytes = std::size_t{8} << 20;
constexpr int kMaxWarnings = 10;
constexpr std::int64_t kMaxIgnoring = 3;  // lines named

class ExamplesInMemory : public ExampleSource {
 public:
  explicit ExamplesInMemory(std::vector<Example> examples) : examples_(std::move(examples)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(examples_.size()); }
  Example read(std::int64_t index) const override {
    return examples_[static_cast<std::size_t>(index)];
  }

 private:
  std::vector<Example> examples_;
};

std::unique_ptr<ExampleSource> open_file(const std::filesystem::path& file,
                                         std::shared_ptr<const ExampleParser> parser) {
  const std::string extension = file.extension().string();
  std::unique_ptr<ExampleSource> source;
  if (extension == ".jsonl") {
    source = std::make_unique<JsonLines>(file, std::move(parser));
  } else if (extension == ".txt") {
    source = std::make_unique<TextPieces>(file, std::move(parser));
  } else {
    throw ConfigError(fmt::format("data file {}: expected a .jsonl or .txt file", file.string()));
  }
  if (source->size() == 0) throw FormatError(fmt::format("{}: no examples", file.string()));
  return source;
}

std::vector<std::unique_ptr<ExampleSource>> source_of(std::vector<Example> examples) {
  std::vector<std::unique_ptr<ExampleSource>> sources;
  sources.push_back(std::make_unique<ExamplesInMemory>(std::move(examples)));
  return sources;
}

// With what the allocator adds.
std::size_t bytes_of(const Example* example) {
  constexpr std::size_t kOverhead = 160;
  if (!example) return kOverhead;
  // A conversation takes about ten bytes for each of its text, which is about four a token.
  const std::size_t token = 2 * sizeof(std::int32_t) + (example->conversation ? 40 : 0);
  return kOverhead + example->ids.size() * token;
}

std::string name_of_all(const std::vector<std::filesystem::path>& files) {
  return files.front().string() +
         (files.size() == 1 ? "" : fmt::format(" and {} more", files.size() - 1));
}

}  // namespace

Dataset::Dataset(std::vector<Example> examples)
    : Dataset(source_of(std::move(examples)), DatasetOptions{}) {}

Dataset::Dataset(std::vector<std::unique_ptr<ExampleSource>> sources, DatasetOptions options)
    : sources_(std::move(sources)), starts_{0}, options_(std::move(options)) {
  for (const auto& source : sources_) starts_.push_back(starts_.back() + source->size());
  hold_first();
}

Dataset Dataset::open(const std::vector<std::filesystem::path>& files,
                      std::shared_ptr<const TextEncoder> encoder, const DatasetOptions& options) {
  if (encoder) {
    for (const std::string& note : encoder->tokenizer().notes()) options.warn(note);
  }
  const auto parser =
      std::make_shared<const ExampleParser>(encoder, options.max_seq_len, options.loss_on,
                                            options.vocab_size, options.keep_conversations);
  std::vector<std::unique_ptr<ExampleSource>> sources;
  const std::vector<std::filesystem::path> found = expand_patterns(files);
  for (const std::filesystem::path& file : found) sources.push_back(open_file(file, parser));
  Dataset data(std::move(sources), options);
  if (!found.empty()) data.name_ = name_of_all(found);
  data.encoder_ = std::move(encoder);
  return data;
}

std::shared_ptr<const Example> Dataset::read(std::int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  return i < first_.size() ? first_[i] : load(index);
}

DataCounts Dataset::counts() const {
  DataCounts counts;
  for (const auto& example : first_) {
    if (example) counts.add(*example);
  }
  return counts;
}

std::shared_ptr<const Example> Dataset::load(std::int64_t index) const {
  try {
    return std::make_shared<const Example>(read_from_source(index));
  } catch (const FormatError& error) {
    if (options_.on_bad_line == OnBadLine::fail) throw;
    warn_of_bad_line(error);
    return nullptr;
  }
}

Example Dataset::read_from_source(std::int64_t index) const {
  const auto after = std::ranges::upper_bound(starts_, index);
  const auto& source = *sources_[static_cast<std::size_t>(after - starts_.begin()) - 1];
  const std::int64_t within = index - *std::prev(after);
  Example example = source.read(within);
  if (!example.ignored.empty() || !example.notes.empty()) warn_of(source, within, example);
  example.notes.clear();
  return example;
}

void Dataset::warn_of_bad_line(const FormatError& error) const {
  const std::lock_guard lock(told_->mutex);
  if (told_->bad_lines++ < kMaxWarnings) {
    options_.warn(fmt::format("{}; the line is skipped", error.what()));
  }
}

// Of what is not as it should be in a line that is used.
void Dataset::warn_of(const ExampleSource& source, std::int64_t index,
                      const Example& example) const {
  const std::lock_guard lock(told_->mutex);
  const auto warn = [&](const std::string& text) {
    options_.warn(fmt::format("{}: {}", source.place(index), text));
  };
  if (!example.ignored.empty() && told_->ignoring++ < kMaxIgnoring) {
    warn(text::ignored_parts_warning(example.ignored));
  }
  for (const std::string& note : example.notes) {
    if (told_->notes.insert(note).second) warn(note);
  }
}

// Small files are read once, and their errors show before training begins.
void Dataset::hold_first() {
  std::size_t bytes = 0;
  for (std::int64_t i = 0; i < size() && bytes < kHeldBytes; ++i) {
    first_.push_back(load(i));
    bytes += bytes_of(first_.back().get());
  }
  if (told_->ignoring > kMaxIgnoring) {
    options_.warn(fmt::format("the chat template ignores something of {} of the first {} examples",
                              told_->ignoring, first_.size()));
  }
}

}  // namespace gladius::train
