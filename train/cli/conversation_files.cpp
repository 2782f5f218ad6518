#include "conversation_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string source_name(const std::string& file) { return file == "-" ? "standard input" : file; }

// The standard input, or a pipe as a shell's <(...).
bool is_stream(const std::string& file) {
  std::error_code missing;
  const auto kind = std::filesystem::status(file, missing).type();
  return file == "-" || kind == std::filesystem::file_type::fifo ||
         kind == std::filesystem::file_type::character;
}

std::string read_stream(const std::string& file) {
  std::ifstream opened;
  if (file != "-") opened.open(file);
  std::istream& stream = file == "-" ? std::cin : opened;
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad() || (file != "-" && !opened.is_open())) {
    throw IoError(fmt::format("cannot read {}", source_name(file)));
  }
  return text;
}

// What `parse` makes of the file's document; what is wrong with it names the file.
template <class Parse>
auto parse_input(const std::string& file, const Parse& parse) {
  const Json document = read_json_input(file);
  try {
    return parse(document);
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", source_name(file), error.what()));
  }
}

}  // namespace

Json read_json_input(const std::string& file) {
  if (!is_stream(file)) return read_json_file(file);
  try {
    return parse_json(read_stream(file));
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", source_name(file), error.what()));
  }
}

text::Conversation read_messages(const std::string& file) {
  return parse_input(file, text::parse_conversation);
}

Json read_tools(const std::string& file) {
  return parse_input(file, [](const Json& document) {
    const bool object = document.is_object() && document.contains("tools");
    return text::parse_tools(object ? document.at("tools") : document);
  });
}

}  // namespace gladius::cli
