// gladius verify: whether a model directory is fit to be published.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/verify/verification.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

using train::Check;
using train::Outcome;

// A directory that could be uploaded: of a run its model.
std::filesystem::path publishable(const std::string& path, const Common& common) {
  const ModelPaths paths = locate_model(path, common);
  if (paths.config != ModelPaths::of(paths.weights).config) {
    throw ConfigError(fmt::format(
        "{} is a checkpoint, whose configuration is its run's; `gladius convert` makes a model "
        "directory of it",
        paths.weights.string()));
  }
  return paths.weights;
}

std::vector<std::string> failed_checks(const std::vector<Check>& checks) {
  std::vector<std::string> names;
  for (const Check& check : checks) {
    if (check.outcome == Outcome::failed) names.push_back(check.name);
  }
  return names;
}

void print_checks(const std::vector<Check>& checks) {
  print("{:<18}  {:<7}  {}\n", "check", "result", "detail");
  for (const Check& check : checks) {
    print("{:<18}  {:<7}  {}\n", check.name, name_of(check.outcome), printable(check.detail));
  }
}

void print_checks_json(const std::filesystem::path& path, const std::vector<Check>& checks) {
  nlohmann::ordered_json document{{"path", path.string()},
                                  {"fit", failed_checks(checks).empty()},
                                  {"checks", nlohmann::ordered_json::array()}};
  for (const Check& check : checks) {
    document["checks"].push_back(
        {{"check", check.name}, {"result", name_of(check.outcome)}, {"detail", check.detail}});
  }
  print_json(document);
}

void verify(const std::string& path, const Common& common) {
  const std::filesystem::path directory = publishable(path, common);
  const std::vector<Check> checks = train::verify_model(directory);
  if (common.json) {
    print_checks_json(directory, checks);
  } else {
    print_checks(checks);
  }
  if (const auto failed = failed_checks(checks); !failed.empty()) {
    throw Error(fmt::format("{} is not fit to be published; what failed: {}", directory.string(),
                            fmt::join(failed, ", ")));
  }
}

}  // namespace

void add_verify(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "verify",
      "Checks a model directory before it is published: tensors against the configuration, "
      "tokenizer, chat template, settings, checksums, card; exit code 1 if a check fails",
      "gladius verify runs/mine/model\n  gladius verify student --json");
  const auto path = std::make_shared<std::string>();
  add_subject(*command, "--model,DIR", *path,
              "Model directory, run directory, GGUF file, or models--ORG--NAME of a cache");
  command->callback([path, &common] { verify(*path, common); });
}

}  // namespace gladius::cli
