// Whether a model directory is fit to be published.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gladius/tensor/base/enum_names.h"

namespace gladius::train {

enum class Outcome {
  ok,
  skipped,  // there is nothing to check, or what it needs cannot be read
  warning,  // can be published, and somebody will ask
  failed
};

}  // namespace gladius::train

namespace gladius {

template <>
inline constexpr EnumName<train::Outcome> kEnumNames<train::Outcome>[] = {
    {train::Outcome::ok, "ok"},
    {train::Outcome::skipped, "skipped"},
    {train::Outcome::warning, "warning"},
    {train::Outcome::failed, "failed"}};

}  // namespace gladius

namespace gladius::train {

struct Check {
  std::string name;
  Outcome outcome = Outcome::ok;
  std::string detail;
};

/// All checks of a model directory, or of a GGUF file, in this order, whatever comes out of the
/// earlier ones:
/// - config: it can be read, and its architecture is known;
/// - tensors: each has the shape that the configuration gives it, none is missing, none is of no
///   parameter;
/// - tied head: where the embeddings are tied, there is no other head, or an equal one;
/// - finite weights: no NaN, no infinity;
/// - tokenizer: it can be read, and its ids lie within the model's vocabulary;
/// - special tokens: the ids of config.json and generation_config.json have tokens;
/// - chat template: each renders a small conversation, and what the user says is in it;
/// - generation config: it can be read, and its numbers are such as can be sampled with;
/// - checksums: a file of SHA-256 sums in the directory is right, or model.json of the run whose
///   model it is; where there is neither, the sums of the weights are told;
/// - card: README.md has the hub's front matter.
/// Faults are outcomes, never exceptions. IoError if `path` is not there.
std::vector<Check> verify_model(const std::filesystem::path& path);

}  // namespace gladius::train
