// Configuration and weights.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/train/loop/nonfinite.h"
#include "subject.h"

namespace gladius::train {
namespace {

constexpr const char* kNoConfig = "needs a configuration that can be read";
constexpr const char* kNoWeights = "needs weights that can be read";

std::string embedding_of(const LanguageModel& model) {
  const auto parameters = model.parameters_with_roles();
  return std::ranges::find(parameters, nn::ParameterRole::embedding, &nn::NamedParameter::role)
      ->name;
}

struct TensorFaults {
  std::vector<std::string> missing, unexpected, shapes;

  bool none() const { return missing.empty() && unexpected.empty() && shapes.empty(); }
  std::string text() const {
    std::string all;
    for (const auto& [what, names] : {std::pair("missing: ", &missing),
                                      {"unexpected: ", &unexpected},
                                      {"of another shape: ", &shapes}}) {
      if (!names->empty()) all += (all.empty() ? "" : "; ") + (what + counted(*names));
    }
    return all;
  }
};

// The head may repeat tied embeddings.
std::map<std::string, Shape> expected_shapes(const Subject& subject, bool head_is_stored) {
  std::map<std::string, Shape> expected;
  for (const auto& [name, parameter] : subject.model->named_parameters()) {
    expected[name] = parameter.shape();
  }
  if (subject.tied() && head_is_stored)
    expected[kHeadName] = expected[embedding_of(*subject.model)];
  return expected;
}

TensorFaults compare_shapes(const Subject& subject) {
  std::map<std::string, Shape> expected = expected_shapes(subject, subject.stores(kHeadName));
  TensorFaults faults;
  for (const auto& [name, shape] : subject.shapes()) {
    const auto known = expected.find(name);
    if (known == expected.end()) {
      faults.unexpected.push_back(in_quotes(name));
      continue;
    }
    if (known->second != shape) {
      faults.shapes.push_back(fmt::format("{} is {}, expected {}", in_quotes(name),
                                          to_string(shape), to_string(known->second)));
    }
    expected.erase(known);
  }
  for (const auto& [name, shape] : expected) faults.missing.push_back(in_quotes(name));
  return faults;
}

bool same_values(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  const Tensor one = a.contiguous(), other = b.contiguous();
  return std::memcmp(one.raw_data(), other.raw_data(), one.nbytes()) == 0;
}

// What is wrong with the values of a tensor.
std::optional<std::string> wrong_values(const std::string& name, const Tensor& tensor) {
  if (is_quantized(tensor.dtype())) return nonfinite_values(in_quotes(name), tensor.to(Dtype::F32));
  if (is_floating_point(tensor.dtype())) return nonfinite_values(in_quotes(name), tensor);
  return fmt::format("{} is of type {}, which no weight is", in_quotes(name),
                     dtype_name(tensor.dtype()));
}

}  // namespace

Check check_config(const Subject& subject) {
  if (!subject.model) return {{}, Outcome::failed, subject.config_fault};
  return {{},
          Outcome::ok,
          fmt::format("{}, {} parameters", subject.model->config().architecture,
                      format_count(subject.model->num_parameters()))};
}

Check check_tensors(const Subject& subject) {
  if (!subject.weights_fault.empty()) return {{}, Outcome::failed, subject.weights_fault};
  if (!subject.model) return {{}, Outcome::skipped, kNoConfig};
  const TensorFaults faults = compare_shapes(subject);
  if (!faults.none()) return {{}, Outcome::failed, faults.text()};
  if (!subject.index_faults.empty()) return {{}, Outcome::warning, subject.index_faults.front()};
  return {{},
          Outcome::ok,
          fmt::format("{} tensors, all of the configuration's shapes", subject.shapes().size())};
}

Check check_tied_head(const Subject& subject) {
  if (!subject.model) return {{}, Outcome::skipped, kNoConfig};
  if (!subject.weights_fault.empty()) return {{}, Outcome::skipped, kNoWeights};
  if (!subject.tied()) return {{}, Outcome::ok, "not tied"};
  if (!subject.stores(kHeadName)) return {{}, Outcome::ok, "tied, stored once"};
  const std::string embedding = embedding_of(*subject.model);
  if (!same_values(subject.tensor(kHeadName), subject.tensor(embedding))) {
    return {
        {},
        Outcome::failed,
        fmt::format("tie_word_embeddings is true, but {} differs from {}", kHeadName, embedding)};
  }
  return {{}, Outcome::ok, fmt::format("tied, {} repeats {}", kHeadName, embedding)};
}

Check check_finite(const Subject& subject) {
  if (!subject.weights_fault.empty()) return {{}, Outcome::skipped, kNoWeights};
  std::vector<std::string> faults;
  std::int64_t values = 0;
  for (const auto& [name, shape] : subject.shapes()) {
    if (std::ranges::find(subject.gguf_extras, name) != subject.gguf_extras.end()) continue;
    if (auto fault = wrong_values(name, subject.tensor(name))) faults.push_back(std::move(*fault));
    values += numel(shape);
  }
  if (!faults.empty()) return {{}, Outcome::failed, "tensors: " + counted(faults)};
  return {{}, Outcome::ok, fmt::format("{} values", format_count(values))};
}

}  // namespace gladius::train
