#include "gladius/train/run/run_settings.h"

#include <fmt/format.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/run/run_directory.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool is_run(const fs::path& directory) {
  const RunPaths paths{directory};
  return fs::is_regular_file(paths.run_json()) && fs::is_regular_file(paths.inputs());
}

// The run directory that `model` is, or lies in.
std::optional<fs::path> run_of(const fs::path& model) {
  std::error_code missing;
  const fs::path path = fs::canonical(model, missing);
  if (missing) return {};
  const fs::path parent = path.parent_path(), above = parent.parent_path();
  if (is_run(path)) return path;
  const RunPaths around{parent};
  if ((path == around.model() || path == around.best()) && is_run(parent)) return parent;
  const bool inside =
      parent == RunPaths{above}.checkpoints() || parent == RunPaths{above}.snapshot();
  return inside && is_run(above) ? std::optional(above) : std::nullopt;
}

}  // namespace

std::optional<RunSettings> settings_of_run(const fs::path& model) {
  const auto run = run_of(model);
  if (!run) return {};
  const fs::path file = RunPaths{*run}.run_json();
  const Json json = read_json_file(file);
  const Json data = json.is_object() ? json.value("data", Json()) : Json();
  const Json length = data.is_object() ? data.value("max_seq_len", Json()) : Json();
  const Json named = data.is_object() ? data.value("loss_on", Json()) : Json();
  const auto loss_on = value_named<LossOn>(named.is_string() ? named.get<std::string>() : "");
  if (!length.is_number_integer() || length < 1 || length > kMaxSeqLen || !loss_on) {
    throw FormatError(fmt::format(
        "{}: data.max_seq_len and data.loss_on do not say how the run has read its data",
        file.string()));
  }
  return RunSettings{.file = file, .max_seq_len = length.get<std::int64_t>(), .loss_on = *loss_on};
}

}  // namespace gladius::train
