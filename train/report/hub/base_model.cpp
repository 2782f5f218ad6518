#include "gladius/train/report/hub/base_model.h"

#include <algorithm>

#include "gladius/models/config.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/run/model_paths.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestPart = 96;  // the hub's limit
constexpr std::string_view kCached = "models--";

bool is_hub_name(std::string_view part) {
  constexpr std::string_view kEnds = "-.";
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !part.empty() && part.size() <= kLongestPart && std::ranges::all_of(part, allowed) &&
         kEnds.find(part.front()) == std::string_view::npos &&
         kEnds.find(part.back()) == std::string_view::npos &&
         part.find("--") == std::string_view::npos && part.find("..") == std::string_view::npos;
}

// "models--OWNER--NAME" -> "OWNER/NAME"
std::optional<std::string> id_of_cache(const std::string& folder) {
  if (!folder.starts_with(kCached)) return {};
  std::string id = folder.substr(kCached.size());
  const std::size_t between = id.find("--");
  if (between == std::string::npos) return {};
  id.replace(between, 2, "/");
  return is_hub_id(id) ? std::optional(id) : std::nullopt;
}

// An owner's name has no dots in front and is no place here.
std::optional<std::string> id_of_config(const fs::path& model) {
  try {
    const auto source = ModelConfig::load(find_model(model).paths.config).source;
    const auto name = source.find("_name_or_path");
    if (name == source.end() || !name->is_string()) return {};
    const auto id = name->get<std::string>();
    std::error_code ignored;
    return is_hub_id(id) && !fs::exists(id, ignored) ? std::optional(id) : std::nullopt;
  } catch (const std::exception&) {
    return {};  // what cannot be read says nothing
  }
}

}  // namespace

bool is_hub_id(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_hub_name(text.substr(0, slash)) &&
         is_hub_name(text.substr(slash + 1)) && !text.ends_with(".git");
}

std::optional<std::string> hub_id(const fs::path& model) {
  for (const fs::path& part : model) {
    if (auto id = id_of_cache(part.string())) return id;
  }
  return id_of_config(model);
}

std::string public_name(const fs::path& model) {
  if (auto id = hub_id(model)) return *id;
  const fs::path normal = model.lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

}  // namespace gladius::train
