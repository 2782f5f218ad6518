// The JSON objects that a run's files hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace gladius::train {

/// The object in a file. IoError; FormatError for what is no JSON object.
nlohmann::ordered_json read_json_object(const std::filesystem::path& file);

/// The same of a file that a run can do without: null where there is none, or no object in it.
/// IoError for a file that is there but cannot be read: what is in it is not known.
nlohmann::ordered_json read_optional_json(const std::filesystem::path& file);

/// What is not known is null.
nlohmann::ordered_json number_or_null(const std::optional<double>& value);
nlohmann::ordered_json number_or_null(const std::optional<std::int64_t>& value);

/// The keys, as paths ("data.eval.0"), in which two objects differ; one that is null counts as
/// missing.
std::vector<std::string> changed_keys(const nlohmann::ordered_json& before,
                                      const nlohmann::ordered_json& after);

}  // namespace gladius::train
