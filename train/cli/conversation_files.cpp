#include "conversation_files.h"

#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"

namespace gladius::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string name_of(const std::string& file) { return file == "-" ? "standard input" : file; }

std::string read_all_of_standard_input() {
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  if (std::cin.bad()) throw IoError("standard input cannot be read");
  return text;
}

// What `parse` makes of the file's document; what is wrong with it names the file.
template <class Parse>
auto parse_input(const std::string& file, const Parse& parse) {
  const Json document = read_json_input(file);
  try {
    return parse(document);
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", name_of(file), error.what()));
  }
}

}  // namespace

Json read_json_input(const std::string& file) {
  if (file != "-") return read_json_file(file);
  try {
    return parse_json(read_all_of_standard_input());
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", name_of(file), error.what()));
  }
}

Conversation read_messages(const std::string& file) {
  return parse_input(file, parse_conversation);
}

Json read_tools(const std::string& file) {
  return parse_input(file, [](const Json& document) {
    const bool object = document.is_object() && document.contains("tools");
    return parse_tools(object ? document.at("tools") : document);
  });
}

}  // namespace gladius::cli
