#include "gladius/train/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/file_descriptor.h"
#include "gladius/tensor/io/text_file.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

// Lines to examples. Errors say nothing of file and line; the caller adds them.
class LineReader {
 public:
  LineReader(const TextEncoder* encoder, const DatasetOptions& options)
      : encoder_(encoder), options_(options) {}

  Example read(const std::string& line) const {
    const Json json = parse(line);
    Example example = by_kind(json);
    if (example.ids.empty()) throw FormatError("the example has no tokens");
    check_range("token", example.ids, false);
    check_range("label", example.labels, true);
    return example;
  }

  const TextEncoder& encoder() const {
    if (encoder_ == nullptr) {
      throw ConfigError("text needs a tokenizer: set \"student.tokenizer\" to its directory");
    }
    return *encoder_;
  }

  void check_range(const char* what, const std::vector<std::int32_t>& ids,
                   bool may_be_missing) const {
    for (const std::int32_t id : ids) {
      if ((id >= 0 && id < options_.vocab_size) || (may_be_missing && id == kNoLabel)) continue;
      throw FormatError(fmt::format("{} {} is outside of the model's vocabulary of {}", what, id,
                                    options_.vocab_size));
    }
  }

 private:
  static Json parse(const std::string& line) {
    Json json = parse_json(line);
    if (!json.is_object()) throw FormatError("expected a JSON object");
    return json;
  }

  Example by_kind(const Json& json) const {
    const bool text = json.contains("text"), chat = json.contains("messages"),
               ids = json.contains("input_ids");
    if (text + chat + ids != 1) {
      throw FormatError(
          fmt::format("expected one of \"text\", \"messages\" and \"input_ids\", found {}",
                      text + chat + ids == 0 ? "none" : "several"));
    }
    return text ? from_text(json.at("text")) : chat ? from_chat(json) : from_ids(json);
  }

  Example from_text(const Json& text) const {
    if (!text.is_string()) throw FormatError("\"text\" is not a string");
    return next_token_example(encoder().encode(text.get<std::string>()), options_.max_seq_len);
  }

  Example from_chat(const Json& json) const {
    const EncodedChat chat =
        encoder().encode_chat(json.at("messages"), json.value("tools", Json(nullptr)));
    Example example = next_token_example(chat.ids, static_cast<std::int64_t>(chat.ids.size()));
    if (options_.loss_on == LossOn::assistant) {
      for (std::size_t i = 0; i + 1 < example.labels.size(); ++i) {
        if (!chat.from_assistant[i + 1]) example.labels[i] = kNoLabel;
      }
    }
    truncate(example, options_.max_seq_len);
    return example;
  }

  Example from_ids(const Json& json) const {
    std::vector<std::int32_t> ids = numbers("input_ids", json.at("input_ids"));
    if (!json.contains("labels")) return next_token_example(std::move(ids), options_.max_seq_len);
    Example example{std::move(ids), numbers("labels", json.at("labels"))};
    if (example.labels.size() != example.ids.size()) {
      throw FormatError(
          fmt::format("{} labels for {} input_ids", example.labels.size(), example.ids.size()));
    }
    truncate(example, options_.max_seq_len);
    return example;
  }

  static std::vector<std::int32_t> numbers(const char* key, const Json& list) {
    if (!list.is_array()) throw FormatError(fmt::format("\"{}\" is not a list", key));
    std::vector<std::int32_t> values;
    for (const Json& value : list) {
      const bool whole = value.is_number_integer();
      const double number = whole ? value.get<double>() : 0;
      if (!whole || number < -0x1p31 || number >= 0x1p31) {
        throw FormatError(
            fmt::format("\"{}\" holds {}; expected token ids", key, value.dump().substr(0, 40)));
      }
      values.push_back(value.get<std::int32_t>());
    }
    return values;
  }

  const TextEncoder* encoder_;
  const DatasetOptions& options_;
};

std::vector<Example> read_lines(const std::string& file, const LineReader& reader) {
  static_cast<void>(
      open_regular_file(file));  // refuses what a stream would wait on or read as empty
  std::ifstream in(file, std::ios::binary);
  std::vector<Example> examples;
  std::string line;
  for (std::int64_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      examples.push_back(reader.read(line));
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{}:{}: {}", file, number, error.what()));
    } catch (const Error& error) {
      throw FormatError(fmt::format("{}:{}: {}", file, number, error.what()));
    }
  }
  if (in.bad()) throw IoError(fmt::format("cannot read {}: the file ended in an error", file));
  return examples;
}

std::vector<Example> read_text(const std::string& file, const LineReader& reader,
                               std::int64_t max_seq_len) {
  const std::string text = read_text_file(file);
  try {
    const std::vector<std::int32_t> ids = reader.encoder().encode(text);
    reader.check_range("token", ids, false);
    return cut_into_examples(ids, max_seq_len);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", file, error.what()));
  } catch (const Error& error) {
    throw FormatError(fmt::format("{}: {}", file, error.what()));
  }
}

}  // namespace

std::vector<Example> load_dataset(const std::filesystem::path& file, const TextEncoder* encoder,
                                  const DatasetOptions& options) {
  const std::string extension = file.extension().string();
  if (extension != ".jsonl" && extension != ".txt") {
    throw ConfigError(fmt::format("data file {}: expected a .jsonl or .txt file", file.string()));
  }
  const LineReader reader(encoder, options);
  std::vector<Example> examples = extension == ".txt"
                                      ? read_text(file.string(), reader, options.max_seq_len)
                                      : read_lines(file.string(), reader);
  if (examples.empty()) throw FormatError(fmt::format("{}: no examples", file.string()));
  return examples;
}

}  // namespace gladius
