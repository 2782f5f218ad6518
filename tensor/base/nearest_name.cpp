#include "gladius/tensor/base/nearest_name.h"

#include <algorithm>
#include <numeric>

namespace gladius {
namespace {

// Levenshtein's distance: insertions, deletions and replacements of single characters.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

const std::string& nearest_name(const std::string& name, const std::vector<std::string>& known) {
  return *std::ranges::min_element(
      known, {}, [&](const std::string& one) { return edit_distance(name, one); });
}

std::optional<std::string> similar_name(const std::string& name,
                                        const std::vector<std::string>& known) {
  if (known.empty()) return {};
  const std::string& nearest = nearest_name(name, known);
  const std::size_t length = std::max(name.size(), nearest.size());
  if (3 * edit_distance(name, nearest) > length) return {};
  return nearest;
}

}  // namespace gladius
