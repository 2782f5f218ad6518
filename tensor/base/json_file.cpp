#include "gladius/tensor/base/json_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/foreign_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/text_file.h"

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

// Python's json writes NaN, Infinity and -Infinity, and reads 1e999 as an infinity; JSON has none
// of them. These numbers, which nobody writes, stand for them between the two passes.
struct Constant {
  std::string_view word, stand_in;
  double value;
};
constexpr Constant kConstants[] = {
    {"NaN", "0e-99999001", std::numeric_limits<double>::quiet_NaN()},
    {"Infinity", "0e-99999002", std::numeric_limits<double>::infinity()},
    {"-Infinity", "0e-99999003", -std::numeric_limits<double>::infinity()},
};

// Builds the value, with the constants back in their places.
template <class Json>
class PythonValues : public nlohmann::detail::json_sax_dom_parser<Json> {
  using Base = nlohmann::detail::json_sax_dom_parser<Json>;

 public:
  explicit PythonValues(Json& value) : Base(value, /*allow_exceptions=*/true) {}
  bool number_float(double value, const std::string& text) {
    for (const Constant& constant : kConstants) {
      if (text == constant.stand_in) return Base::number_float(constant.value, text);
    }
    return Base::number_float(value, text);
  }
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// What stands for the word or number `token` where it is beyond JSON, else the token itself.
std::string_view stand_in(std::string_view token) {
  for (const Constant& constant : kConstants) {
    if (token == constant.word) return constant.stand_in;
  }
  const bool number = token.find_first_of("0123456789") == (token.starts_with('-') ? 1 : 0) &&
                      token.find_first_of("xX") == token.npos;
  if (!number || std::isfinite(std::strtod(std::string(token).c_str(), nullptr))) return token;
  return kConstants[token.starts_with('-') ? 2 : 1].stand_in;
}

// `text` with numbers for the constants that stand outside of strings.
std::string with_stand_ins(std::string_view text) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t begin = i;
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
      i = std::min(i + 1, text.size());
      out.append(text, begin, i - begin);
    } else if (is_word(text[i]) || text[i] == '-') {
      const auto continues = [&] { return is_word(text[i]) || std::strchr("+-.", text[i]); };
      while (i < text.size() && text[i] != '\0' && continues()) ++i;
      out += stand_in(text.substr(begin, i - begin));
    } else {
      out += text[i++];
    }
  }
  return out;
}

template <class Json>
Json parse_python_json(std::string_view text) {
  Json value;
  PythonValues<Json> reader(value);
  Json::sax_parse(with_stand_ins(text), &reader);
  return value;
}

}  // namespace

template <class Json>
Json parse_json(std::string_view text) {
  check_nesting(text);
  Json strict = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!strict.is_discarded()) return strict;
  try {
    return parse_python_json<Json>(text);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("not valid JSON: {}", reason_of(error)));
  }
}

template <class Json>
Json read_json_file(const std::filesystem::path& path) {
  const std::string text = read_text_file(path);
  try {
    return parse_json<Json>(text);
  } catch (const FormatError& error) {
    if (const std::string other = foreign_format(text); !other.empty()) {
      throw FormatError(fmt::format("{}: this is {}", path.string(), other));
    }
    throw FormatError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

template <class Json>
std::string shown(const Json& value) {
  if (value.is_number_float() && !std::isfinite(value.template get<double>())) {
    return fmt::format("{}", value.template get<double>());  // JSON has no such number
  }
  return shortened(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string reason_of(const std::exception& error) {
  const std::string_view what = error.what();
  if (dynamic_cast<const nlohmann::json::exception*>(&error) == nullptr) return std::string(what);
  const std::size_t begin = what.find("] ");
  return shortened(begin == std::string_view::npos ? what : what.substr(begin + 2));
}

template std::string shown(const nlohmann::json& value);
template std::string shown(const nlohmann::ordered_json& value);
template nlohmann::json parse_json(std::string_view text);
template nlohmann::ordered_json parse_json(std::string_view text);
template nlohmann::json read_json_file(const std::filesystem::path& path);
template nlohmann::ordered_json read_json_file(const std::filesystem::path& path);

}  // namespace gladius
