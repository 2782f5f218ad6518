#include "gladius/train/same_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/train/cluster/monitor.h"
#include "gladius/train/run/fingerprint.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// Settings that are paths, whose files are compared, or are rank 0's own business.
constexpr std::array kNotCompared = {
    "student.config",     "student.init",         "student.init_from.model",
    "student.tokenizer",  "data.train",           "data.eval",
    "teacher_cache.path", "teacher_cache.max_gb", "eval_suite",
    "card.license",       "card.language"};

bool is_compared(const std::string& key) {
  for (const char* left_out : kNotCompared) {
    if (key == left_out || key.starts_with(std::string(left_out) + ".")) return false;
  }
  return !(key.starts_with("experts.") && key.ends_with(".model"));
}

// The leaves of a JSON value by their paths, "loss.alpha".
void flatten(const Json& value, const std::string& path, Json& leaves) {
  if (!value.is_structured() || value.empty()) {
    if (is_compared(path)) leaves[path] = value;
    return;
  }
  for (const auto& [key, inner] : value.items()) {
    flatten(inner, path.empty() ? key : path + "." + key, leaves);
  }
}

Json describe(const RunConfig& config) {
  Json described{{"host", cluster::host_name()},
                 {"program", sha256_file("/proc/self/exe")},
                 {"settings", Json::object()},
                 {"files", Json::array()}};
  flatten(config.resolved(), "", described["settings"]);
  const Json inputs = describe_inputs(config);
  for (const auto& [key, files] : inputs.items()) {
    for (const auto& [file, print] : files.items()) {
      described["files"].push_back({{"key", key}, {"file", file}, {"sha256", print.at("sha256")}});
    }
  }
  return described;
}

// What of `theirs` is not as in `own`, rank 0's; empty: nothing.
std::string difference(const Json& own, const Json& theirs) {
  if (own.at("program") != theirs.at("program")) {
    return "runs another program (another build of gladius); copy rank 0's";
  }
  for (const auto& [key, value] : own.at("settings").items()) {
    const Json other = theirs.at("settings").value(key, Json());
    if (other != value) {
      return fmt::format("has {} for \"{}\" in its run file, rank 0 {}", other.dump(), key,
                         value.dump());
    }
  }
  for (const auto& [key, value] : theirs.at("settings").items()) {
    if (own.at("settings").contains(key)) continue;
    return fmt::format("has {} for \"{}\" in its run file, rank 0 nothing", value.dump(), key);
  }
  const Json &files = own.at("files"), &others = theirs.at("files");
  for (std::size_t i = 0; i < std::min(files.size(), others.size()); ++i) {
    if (files[i].at("key") != others[i].at("key")) {
      return fmt::format(
          "has {} for {} where rank 0 has a file for {}", others[i].at("file").get<std::string>(),
          others[i].at("key").get<std::string>(), files[i].at("key").get<std::string>());
    }
    if (files[i].at("sha256") == others[i].at("sha256")) continue;
    return fmt::format(
        "has another file for {}: {} (SHA-256 {:.12}..., rank 0's {:.12}...)",
        others[i].at("key").get<std::string>(), others[i].at("file").get<std::string>(),
        others[i].at("sha256").get<std::string>(), files[i].at("sha256").get<std::string>());
  }
  if (files.size() != others.size()) {
    return fmt::format("finds {} files of data and models, rank 0 {}", others.size(), files.size());
  }
  return "";
}

std::string find_difference(const std::vector<std::string>& ranks) {
  const Json own = Json::parse(ranks.front());
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    const Json theirs = Json::parse(ranks[rank]);
    const std::string wrong = difference(own, theirs);
    if (wrong.empty()) continue;
    return fmt::format("rank {} on {} {}", rank, theirs.at("host").get<std::string>(), wrong);
  }
  return "";
}

}  // namespace

void require_same_inputs(Ranks& ranks, const RunConfig& config) {
  if (config.gradient_accumulation < ranks.size()) {
    throw ConfigError(
        fmt::format("an update has \"gradient_accumulation\" {} micro-batches, which are too few "
                    "for {} ranks: each computes one or more of them",
                    config.gradient_accumulation, ranks.size()));
  }
  const std::vector<std::string> all =
      cluster::gather_texts(ranks.communicator(), describe(config).dump());
  const std::string wrong =
      cluster::broadcast_text(ranks.communicator(), all.empty() ? "" : find_difference(all));
  if (!wrong.empty()) throw ConfigError(wrong);
}

}  // namespace gladius::train
