// JSON that a run can do without.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace gladius {

/// The object in a file; null where there is no file, or nothing that can be read as an object.
nlohmann::ordered_json read_optional_json(const std::filesystem::path& file);

}  // namespace gladius
