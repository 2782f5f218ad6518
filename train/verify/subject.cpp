#include "subject.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>

#include "gladius/models/gguf/file.h"
#include "gladius/models/gguf_weights.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

constexpr std::ptrdiff_t kNamed = 3;

// What `read` throws.
template <class F>
std::string fault_of(F read) {
  try {
    read();
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

void read_gguf(Subject& subject) {
  if (!subject.model) throw ConfigError("not read without a configuration");
  const auto parameters = subject.model->named_parameters();
  const auto known = [&](const std::string& name) {
    return name == kHeadName || std::ranges::any_of(parameters, [&](const auto& parameter) {
             return parameter.first == name;
           });
  };
  subject.gguf_weights = read_gguf_weights(gguf::File::open(subject.path), subject.model->config(),
                                           false, known, subject.gguf_extras);
}

}  // namespace

std::string counted(const std::vector<std::string>& names) {
  const std::vector<std::string> first(
      names.begin(), std::next(names.begin(), std::min(kNamed, std::ssize(names))));
  return fmt::format("{} ({}{})", names.size(), fmt::join(first, ", "),
                     std::ssize(names) > kNamed ? ", ..." : "");
}

Subject Subject::open(const std::filesystem::path& path) {
  Subject subject;
  subject.path = path;
  subject.gguf = gguf::is_gguf(path);
  subject.config_fault = fault_of(
      [&] { subject.model = make_language_model(ModelConfig::load(ModelPaths::of(path).config)); });
  subject.weights_fault = fault_of([&] {
    if (subject.gguf) return read_gguf(subject);
    subject.files = open_weights(
        path, [&](const std::string& warning) { subject.index_faults.push_back(warning); });
  });
  subject.tokenizer_fault = fault_of([&] {
    if (text::has_tokenizer(path)) subject.tokenizer = text::Tokenizer::load(path);
  });
  return subject;
}

std::vector<std::pair<std::string, Shape>> Subject::shapes() const {
  std::vector<std::pair<std::string, Shape>> all;
  for (const SafetensorsFile& file : files) {
    for (const SafetensorsEntry& entry : file.entries()) all.emplace_back(entry.name, entry.shape);
  }
  for (const auto& [name, tensor] : gguf_weights) all.emplace_back(name, tensor.shape());
  for (const std::string& name : gguf_extras) all.emplace_back(name, Shape{});
  return all;
}

bool Subject::stores(const std::string& name) const {
  return std::ranges::any_of(shapes(), [&](const auto& stored) { return stored.first == name; });
}

Tensor Subject::tensor(const std::string& name) const {
  for (const SafetensorsFile& file : files) {
    if (file.contains(name)) return file.tensor(name);
  }
  const auto found = std::ranges::find(gguf_weights, name, &NamedTensors::value_type::first);
  if (found == gguf_weights.end()) throw FormatError(fmt::format("there is no tensor {}", name));
  return found->second;
}

}  // namespace gladius::train
