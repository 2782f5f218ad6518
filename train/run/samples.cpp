#include "gladius/train/run/samples.h"

#include <fstream>

#include "gladius/tensor/base/append_file.h"
#include "gladius/tensor/base/text_file.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

StepSamples parse_samples(const std::string& line) {
  const Json json = Json::parse(line);
  StepSamples of{.step = json.at("step").get<std::int64_t>(), .samples = {}};
  for (const Json& sample : json.at("samples")) {
    of.samples.push_back({.messages = sample.at("messages"),
                          .answer = sample.at("answer").get<std::string>(),
                          .cut = sample.at("cut").get<bool>()});
  }
  return of;
}

}  // namespace

Json StepSamples::to_json() const {
  Json list = Json::array();
  for (const Sample& sample : samples) {
    list.push_back({{"messages", sample.messages}, {"answer", sample.answer}, {"cut", sample.cut}});
  }
  return {{"step", step}, {"samples", std::move(list)}};
}

std::string StepSamples::to_line() const {
  return to_json().dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

std::optional<std::int64_t> step_of_samples(const std::string& line) {
  try {
    return parse_samples(line).step;
  } catch (const Json::exception&) {
    return {};
  }
}

std::optional<StepSamples> read_newest_samples(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::optional<StepSamples> newest;
  for (std::string line; std::getline(in, line) && !in.eof();) {
    try {
      newest = parse_samples(line);
    } catch (const Json::exception&) {
      continue;  // somebody has changed it, and nothing depends on it
    }
  }
  return newest;
}

void keep_samples(const std::filesystem::path& path, std::int64_t steps) {
  if (!std::filesystem::exists(path)) return;
  const std::string text = read_text_file(path);
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    const auto step = step_of_samples(text.substr(begin, end - begin));
    if (step && *step >= steps) break;
    begin = end + 1;
  }
  if (begin == text.size()) return;
  own_file(path);
  AppendFile(path).cut(begin);
}

}  // namespace gladius::train
