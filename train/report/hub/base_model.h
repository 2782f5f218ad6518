// Which models on the hub a run's models are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace gladius::train {

/// Whether the hub takes `text` for a model's name, "owner/name".
bool is_hub_id(std::string_view text);

/// The hub's name of a model that a run file names: of a folder models--OWNER--NAME of its cache,
/// or of anything in one, that name; else `_name_or_path` of its config.json, which transformers
/// writes, where that is such a name and no directory here. Nothing where neither says so: the name
/// of a directory says nothing.
std::optional<std::string> hub_id(const std::filesystem::path& model);

/// For readers: that name, else the name of the file or directory, without where it lies.
std::string public_name(const std::filesystem::path& model);

}  // namespace gladius::train
