// The files that a run file's "data.train" stands for.
#pragma once

#include <filesystem>
#include <vector>

namespace gladius::train {

/// Each path itself, or where it is no file and has a * or ? the files that match it, in the order
/// of their names' bytes. IoError for a pattern that matches nothing.
std::vector<std::filesystem::path> expand_patterns(
    const std::vector<std::filesystem::path>& patterns);

}  // namespace gladius::train
