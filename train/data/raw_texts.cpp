#include "gladius/train/data/raw_texts.h"

#include <fmt/format.h>

#include <limits>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/data/data_files.h"
#include "gladius/train/data/file_blocks.h"
#include "gladius/train/data/json_lines.h"
#include "gladius/train/data/line_kind.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Counts what passes through.
struct CountedSink {
  const TextSink& sink;
  std::int64_t texts = 0;

  void text(std::string_view text) {
    texts += !text.empty();
    sink.text(text);
  }
  void chat(std::string_view text) {
    texts += !text.empty();
    sink.rendered_chat(text);
  }
};

// A line reaches from behind a newline to the next, which belongs to it.
void read_lines(const fs::path& file, CountedSink& sink) {
  std::string begun;  // the part of a line that stood at the end of the last block
  for_each_block(file, std::numeric_limits<std::uint64_t>::max(),
                 [&](std::uint64_t, std::string_view block) {
                   for (std::size_t end; (end = block.find('\n')) != std::string_view::npos;) {
                     begun += block.substr(0, end + 1);
                     block.remove_prefix(end + 1);
                     sink.text(begun);
                     begun.clear();
                   }
                   begun += block;
                 });
  sink.text(begun);
}

// A content is a text, null (beside tool calls), or a list of parts of which some are text.
void take_content(const Json& content, CountedSink& sink) {
  if (content.is_string()) return sink.text(content.get_ref<const std::string&>());
  if (content.is_null()) return;
  if (!content.is_array()) throw FormatError("\"content\" is neither a string nor a list of parts");
  for (const Json& part : content) {
    if (part.is_object() && part.contains("text")) take_content(part.at("text"), sink);
  }
}

void take_chat(const Json& line, CountedSink& sink) {
  const text::Conversation conversation = text::parse_conversation(line);
  if (sink.sink.render) return sink.chat(sink.sink.render(conversation));
  for (const Json& message : conversation.messages) {
    if (message.contains("content")) take_content(message.at("content"), sink);
  }
}

void take_line(const std::string& text, CountedSink& sink) {
  const Json line = parse_json(text);
  switch (kind_of_line(line)) {
    case LineKind::text:
      if (!line.at("text").is_string()) throw FormatError("\"text\" is not a string");
      return sink.text(line.at("text").get_ref<const std::string&>());
    case LineKind::messages:
      return take_chat(line, sink);
    case LineKind::input_ids:
      throw FormatError(
          "\"input_ids\" are the ids of some tokenizer; text is needed here: "
          "\"text\" or \"messages\"");
  }
}

void read_file(const fs::path& file, CountedSink& sink) {
  const std::string extension = file.extension().string();
  if (extension == ".txt") return read_lines(file, sink);
  if (extension != ".jsonl") {
    throw ConfigError(fmt::format("data file {}: expected a .jsonl or .txt file", file.string()));
  }
  const JsonLines lines(file, nullptr);
  for (std::int64_t i = 0; i < lines.size(); ++i) {
    lines.use_line(i, [&](const std::string& line) { take_line(line, sink); });
  }
}

}  // namespace

std::uint64_t for_each_text(const std::vector<fs::path>& files, const TextSink& sink) {
  std::uint64_t bytes = 0;
  for (const fs::path& file : expand_patterns(files)) {
    CountedSink counted{sink};
    read_file(file, counted);
    if (counted.texts == 0) throw FormatError(fmt::format("{}: no text", file.string()));
    bytes += size_of(open_regular_file(file), file);
  }
  return bytes;
}

}  // namespace gladius::train
