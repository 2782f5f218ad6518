#include "gladius/models/json_file.h"

#include <fmt/format.h>

#include <cstddef>

#include "gladius/tensor/error.h"
#include "gladius/tensor/io/text_file.h"
#include "gladius/tensor/quoted.h"

namespace gladius {
namespace {

void check_nesting(std::string_view text) {
  constexpr std::size_t kDeepest = 200;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;  // whatever is escaped does not end the string
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) {
        throw FormatError(
            fmt::format("nested more than {} deep at byte {}, which is refused", kDeepest, i + 1));
      }
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
}

}  // namespace

template <class Json>
Json parse_json(std::string_view text) {
  check_nesting(text);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    // Without the parser's own "[json.exception.parse_error.101] ".
    const std::string_view what = error.what();
    const std::size_t begin = what.find("] ");
    throw FormatError(
        fmt::format("not valid JSON: {}",
                    shortened(begin == std::string_view::npos ? what : what.substr(begin + 2))));
  }
}

template <class Json>
Json read_json_file(const std::filesystem::path& path) {
  const std::string text = read_text_file(path);
  try {
    return parse_json<Json>(text);
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

template <class Json>
std::string shown(const Json& value) {
  return shortened(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

template std::string shown(const nlohmann::json& value);
template std::string shown(const nlohmann::ordered_json& value);
template nlohmann::json parse_json(std::string_view text);
template nlohmann::ordered_json parse_json(std::string_view text);
template nlohmann::json read_json_file(const std::filesystem::path& path);
template nlohmann::ordered_json read_json_file(const std::filesystem::path& path);

}  // namespace gladius
