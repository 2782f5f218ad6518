#include "gladius/train/data/data_files.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <string>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

// Only * and ? are patterns here; brackets are common in the names of files.
std::string for_glob(const std::string& pattern) {
  std::string escaped;
  for (const char c : pattern) {
    if (c == '[' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::vector<fs::path> matches(const fs::path& pattern) {
  glob_t found{};
  const int status = ::glob(for_glob(pattern.string()).c_str(), GLOB_ERR, nullptr, &found);
  std::vector<fs::path> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (status == GLOB_NOMATCH) {
    throw IoError(fmt::format("data: no file matches {}", pattern.string()));
  }
  if (status != 0) {
    throw IoError(fmt::format("data: the directories of {} cannot be read", pattern.string()));
  }
  std::ranges::sort(files, {}, &fs::path::native);  // glob's own order is the locale's
  return files;
}

}  // namespace

std::vector<fs::path> expand_patterns(const std::vector<fs::path>& patterns) {
  std::vector<fs::path> files;
  for (const fs::path& pattern : patterns) {
    std::error_code ignored;
    const bool wild = pattern.native().find_first_of("*?") != std::string::npos;
    if (wild && !fs::exists(pattern, ignored)) {
      const std::vector<fs::path> found = matches(pattern);
      files.insert(files.end(), found.begin(), found.end());
    } else {
      files.push_back(pattern);
    }
  }
  return files;
}

}  // namespace gladius::train
