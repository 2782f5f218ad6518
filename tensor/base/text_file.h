// Whole text files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace gladius {

/// The contents of a regular file. Throws IoError, with the path and the reason, for what cannot be
/// read and for directories, pipes and devices.
std::string read_text_file(const std::filesystem::path& path);

/// Replaces the file by `text`, whole or not at all (AtomicFile). Throws IoError.
void write_text_file(const std::filesystem::path& path, std::string_view text);

}  // namespace gladius
