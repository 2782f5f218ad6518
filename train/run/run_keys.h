// The keys of the run file: what each is, in one table (run_keys.cpp).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gladius/tensor/base/enum_names.h"

namespace gladius::train {

class RunFields;
struct RunConfig;

/// What `--resume` makes of another value than the run began with.
enum class OnResume {
  refused,  // it would be another run
  allowed,  // it decides nothing of what the run computes
  length,   // allowed if the steps so far would have been the same (run_changes.h)
};

}  // namespace gladius::train

namespace gladius {

template <>
inline constexpr EnumName<train::OnResume> kEnumNames<train::OnResume>[] = {
    {train::OnResume::refused, "refused"},
    {train::OnResume::allowed, "allowed"},
    {train::OnResume::length, "length"}};

}  // namespace gladius

namespace gladius::train {

inline constexpr const char* kRequired = "required";

/// What the program and its documentation say of a key.
struct RunKeyDescription {
  std::string path;           // "data.packing"; "experts.N.steps" of the elements of a list
  std::string expects;        // "a whole number in [1, 4194304]"
  std::string default_value;  // JSON; kRequired where there is none
  std::string meaning;
  OnResume on_resume;
};

/// All keys, in the order of run.json.
std::vector<RunKeyDescription> describe_run_keys();
/// What `--resume` makes of a change at this place ("experts.0.steps", "data.eval.1").
OnResume on_resume(const std::string& path);

/// The descriptions for a terminal, and as the table of docs/run-file.md.
std::string run_keys_text();
std::string run_keys_markdown();

/// Reads each key into its member, and writes it from there. ConfigError as RunFields; what one
/// key means to another is for RunConfig::parse to check.
void read_run_keys(const RunFields& fields, RunConfig& run);
nlohmann::ordered_json write_run_keys(const RunConfig& run);

}  // namespace gladius::train
