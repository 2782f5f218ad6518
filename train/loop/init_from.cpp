#include "gladius/train/loop/init_from.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/comparison.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/train/loop/growth.h"
#include "gladius/train/loop/model_source.h"
#include "gladius/train/run/model_paths.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using Say = std::function<void(const std::string&)>;
using Json = nlohmann::ordered_json;

void check_layers(const InitFromConfig& from, std::int64_t own, std::int64_t available) {
  if (std::ssize(from.layers) != own) {
    throw ConfigError(
        fmt::format("student.init_from.layers names {} layers, and the student has {}: name one of "
                    "{} for each, or leave it out",
                    from.layers.size(), own, from.model.string()));
  }
  for (const std::int64_t layer : from.layers) {
    if (layer >= 0 && layer < available) continue;
    throw ConfigError(fmt::format(
        "student.init_from.layers names layer {}, and {} has {} layers, numbered from 0", layer,
        from.model.string(), available));
  }
}

// Why an id means another text to the model than to the student; nothing if it does not, or if
// nobody can say.
std::optional<std::string> other_ids(const StudentConfig& student, const fs::path& of_model,
                                     const Say& info) {
  const bool own = student.tokenizer && text::has_tokenizer(*student.tokenizer);
  if (!own || !text::has_tokenizer(of_model)) {
    info(
        fmt::format("student.init_from: {} has no tokenizer.json, so only the sizes of the "
                    "vocabularies are compared, not what their entries mean",
                    own ? of_model.string() : "the student"));
    return {};
  }
  try {
    const auto compared = text::compare_tokenizers(*student.tokenizer, of_model);
    if (!compared.note.empty()) info(fmt::format("student.init_from: {}", compared.note));
    if (!compared.difference) return {};
    const auto& [what, ours, theirs] = *compared.difference;
    return fmt::format("another tokenizer: {} is {} in the student's and {} in the model's", what,
                       ours, theirs);
  } catch (const ConfigError& error) {
    return fmt::format("tokenizers that cannot be compared: {}", error.what());
  }
}

void add_fresh(InitFromSummary& summary, const std::string& name, const std::string& why) {
  const auto place = LayerName::of(name);
  const std::string kind = place ? place->before + "N" + place->after : name;
  const auto known = std::ranges::find_if(
      summary.fresh, [&](const auto& fresh) { return fresh.name == kind && fresh.why == why; });
  if (known != summary.fresh.end()) {
    ++known->tensors;
  } else {
    summary.fresh.push_back({kind, 1, why});
  }
}

void tell(const InitFromSummary& summary, const Say& info) {
  info(fmt::format("student.init_from: {} of {} tensors ({} of {} parameters) {} {}, its layers {}",
                   summary.taken, summary.tensors, format_count(summary.taken_parameters),
                   format_count(summary.parameters),
                   summary.grow ? "grow from those of" : "are those of", summary.model.string(),
                   fmt::join(summary.layers, ", ")));
  if (summary.fresh.empty() || summary.grow) return;  // of new layers the numbers say enough
  std::vector<std::string> kinds;
  for (const auto& [name, tensors, why] : summary.fresh) {
    kinds.push_back(
        fmt::format("{} ({}{})", name, tensors > 1 ? fmt::format("{}, ", tensors) : "", why));
  }
  info(fmt::format("student.init_from: fresh weights: {}", fmt::join(kinds, "; ")));
}

std::string describe(const Shape& own, const Tensor& theirs) {
  return theirs.defined()
             ? fmt::format("{}, the model's is {}", to_string(own), to_string(theirs.shape()))
             : "the model has none";
}

// What fits of the layers that were chosen.
InitFromSummary take_fitting(LanguageModel& student, const LanguageModel& model,
                             const InitFromConfig& from, const std::optional<std::string>& other,
                             const Say& warn) {
  check_layers(from, student.config().num_hidden_layers, model.config().num_hidden_layers);
  if (other)
    warn(fmt::format("student.init_from: embedding and head have fresh weights ({})", *other));
  const ModelSource source(model, from.layers);
  InitFromSummary summary{.model = from.model, .layers = from.layers, .fresh = {}};
  for (const nn::NamedParameter& own : student.parameters_with_roles()) {
    const std::int64_t size = own.value.numel();
    ++summary.tensors, summary.parameters += size;
    const bool of_ids =
        own.role == nn::ParameterRole::embedding || own.role == nn::ParameterRole::head;
    const Tensor theirs = source.find(own);
    if (of_ids && other) {
      add_fresh(summary, own.name, "another tokenizer");
    } else if (!theirs.defined() || theirs.shape() != own.value.shape()) {
      add_fresh(summary, own.name, describe(own.value.shape(), theirs));
    } else {
      Tensor value = own.value.value();
      value.copy_(theirs.to(Dtype::F32));
      ++summary.taken, summary.taken_parameters += size;
    }
  }
  if (summary.taken > 0) return summary;
  throw ConfigError(fmt::format(
      "student.init_from: no tensor of {} has the shape of the student's (hidden_size {}, the "
      "student's {}), so nothing begins with it; leave it out, choose a student of its sizes, or "
      "\"grow\": true for a larger one",
      from.model.string(), model.config().hidden_size, student.config().hidden_size));
}

// All of the smaller model.
InitFromSummary grow_all(LanguageModel& student, const LanguageModel& model,
                         const InitFromConfig& from, const std::optional<std::string>& other) {
  if (other) {
    throw ConfigError(fmt::format("student.init_from.grow: {} has {}; give the student the model's",
                                  from.model.string(), *other));
  }
  check_growth(student.config(), model.config(), from.layers);
  const ModelSource source(model, from.layers);
  InitFromSummary summary{.model = from.model, .layers = from.layers, .grow = true, .fresh = {}};
  for (const nn::NamedParameter& own : student.parameters_with_roles()) {
    const Grown grown = grow(own, student.config(), model.config(), source);
    ++summary.tensors, summary.parameters += own.value.numel();
    summary.taken += grown.taken > 0 ? 1 : 0, summary.taken_parameters += grown.taken;
    if (grown.taken == 0) {
      add_fresh(summary, own.name,
                grown.silent ? "zero: a layer that adds nothing yet"
                             : "of a layer that adds nothing yet");
    }
  }
  return summary;
}

}  // namespace

std::vector<std::int64_t> spread_layers(std::int64_t count, std::int64_t available) {
  std::vector<std::int64_t> layers{0};
  for (std::int64_t i = 1; i < count; ++i) {
    const auto whole = static_cast<double>(i * (available - 1));
    layers.push_back(std::llround(whole / static_cast<double>(count - 1)));
  }
  return layers;
}

RunConfig settle_init_from(RunConfig config) {
  auto& from = config.student.init_from;
  if (!from || !from->layers.empty()) return config;
  const std::int64_t available =
      ModelConfig::load(find_model(from->model).paths.config).num_hidden_layers;
  const std::int64_t own = ModelConfig::load(config.student.config).num_hidden_layers;
  from->layers = from->grow ? spread_growth(own, available) : spread_layers(own, available);
  return config;
}

RunConfig settle_init_from(RunConfig config, const RunConfig& before) {
  auto& now = config.student.init_from;
  const auto& then = before.student.init_from;
  if (now && then && !fs::exists(now->model)) {
    // A run or a folder of a cache was named, and the model in it recorded.
    const fs::path within = then->model.lexically_relative(now->model);
    const bool same_place = !within.empty() && *within.begin() != "..";
    if (same_place && now->grow == then->grow &&
        (now->layers.empty() || now->layers == then->layers))
      now = then;
  }
  return settle_init_from(std::move(config));
}

Json InitFromSummary::to_json() const {
  Json json{
      {"model", model.string()},  {"layers", layers},      {"grow", grow},
      {"taken_tensors", taken},   {"tensors", tensors},    {"taken_parameters", taken_parameters},
      {"parameters", parameters}, {"fresh", Json::array()}};
  for (const auto& [name, count, why] : fresh) {
    json["fresh"].push_back({{"name", name}, {"tensors", count}, {"why", why}});
  }
  return json;
}

InitFromSummary take_layers(LanguageModel& student, const StudentConfig& config, const Say& info,
                            const Say& warn) {
  const InitFromConfig& from = config.init_from.value();
  const ModelPaths paths = find_model(from.model).paths;
  const auto model = load_model(paths, {.warn = warn});
  const auto other = other_ids(config, paths.tokenizer, info);
  InitFromSummary summary = from.grow ? grow_all(student, *model, from, other)
                                      : take_fitting(student, *model, from, other, warn);
  tell(summary, info);
  return summary;
}

}  // namespace gladius::train
