// What somebody may have meant by a name that does not exist.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gladius {

/// The name of `known`, which has at least one, with the smallest edit distance (insertions,
/// deletions and replacements of single characters).
const std::string& nearest_name(const std::string& name, const std::vector<std::string>& known);

/// The same, or nothing where even that one is too different for a slip of the fingers: by more
/// than a third of its characters.
std::optional<std::string> similar_name(const std::string& name,
                                        const std::vector<std::string>& known);

}  // namespace gladius
