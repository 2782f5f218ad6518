// SHA-256 sums.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/run/file_sums.h"
#include "gladius/train/run/json_object.h"
#include "gladius/train/run/run_directory.h"
#include "subject.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Sums = std::map<std::string, std::string>;  // by the file's name

constexpr std::size_t kDigits = 64;  // of a sum

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// As sha256sum's output is called.
bool is_sums_file(const fs::path& path) {
  const std::string name = lower_case(path.filename().string());
  return path.extension() == ".sha256" || name == "sha256sums" || name == "sha256sums.txt" ||
         name == "sha256sum.txt" || name == "checksums.txt";
}

std::vector<fs::path> sums_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.is_regular_file() && is_sums_file(entry.path())) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

bool leads_out(const fs::path& name) {
  return name.is_absolute() ||
         std::ranges::any_of(name, [](const fs::path& part) { return part == ".."; });
}

// "SUM  NAME" or "SUM *NAME".
Sums parse_sums(const fs::path& file) {
  Sums sums;
  std::istringstream lines(read_text_file(file));
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.starts_with('#')) continue;
    const std::string sum = lower_case(line.substr(0, kDigits));
    const bool is_sum = sum.size() == kDigits && std::ranges::all_of(sum, [](unsigned char c) {
                          return std::isxdigit(c) != 0;
                        });
    if (!is_sum || line.size() < kDigits + 3 || line[kDigits] != ' ') {
      throw FormatError(fmt::format("{}, line {}: expected a SHA-256, two spaces, a file's name",
                                    file.filename().string(), number));
    }
    sums[line.substr(kDigits + 2)] = sum;
  }
  return sums;
}

// What is wrong with a file that has a sum; "" if nothing is.
std::string wrong_sum(const fs::path& directory, const std::string& name, const std::string& sum) {
  if (leads_out(name)) return in_quotes(name) + " leads out of the directory";
  if (!is_there(directory / name)) return in_quotes(name) + " is missing";
  return sha256_file(directory / name) == sum ? "" : in_quotes(name) + " has another sum";
}

Check compare_sums(const Subject& subject, const std::vector<fs::path>& files) {
  std::vector<std::string> faults;
  Sums all;
  for (const fs::path& file : files) {
    for (const auto& [name, sum] : parse_sums(file)) {
      const std::string fault = wrong_sum(subject.path, name, sum);
      if (!fault.empty()) faults.push_back(fault);
      all[fs::path(name).lexically_normal().string()] = sum;
    }
  }
  if (!faults.empty()) return {{}, Outcome::failed, counted(faults)};
  for (const SafetensorsFile& weights : subject.files) {
    const std::string name = weights.path().filename().string();
    if (!all.contains(name)) return {{}, Outcome::warning, in_quotes(name) + " has no sum"};
  }
  return {{},
          Outcome::ok,
          fmt::format("{} files as {} has them", all.size(), files.front().filename().string())};
}

// Of the run whose model it is; null where it is none's.
Json run_manifest(const fs::path& directory) {
  const RunPaths run{fs::canonical(directory).parent_path()};
  if (run.model() != fs::canonical(directory) || !is_there(run.run_json())) return nullptr;
  return read_optional_json(run.model_manifest());
}

// `described`: files whose sums are known (see describe_files).
std::string sums_of_weights(const Subject& subject, const Json& described = Json::object()) {
  std::string text;
  for (const fs::path& file : weight_files(subject.path)) {
    const std::string name = file.filename().string();
    const std::string sum = described.contains(name)
                                ? described.at(name).at("sha256").get<std::string>()
                                : sha256_file(file);
    text += fmt::format("{}{} {}", text.empty() ? "" : "; ", sum, name);
  }
  return text;
}

}  // namespace

Check check_checksums(const Subject& subject) {
  if (!subject.gguf) {
    if (const auto files = sums_files(subject.path); !files.empty()) {
      return compare_sums(subject, files);
    }
    const auto manifest = run_manifest(subject.path);
    if (manifest.is_object() && manifest.value("files", Json()).is_object()) {
      const std::string wrong = wrong_file(subject.path, manifest.at("files"), Look::every_byte);
      if (!wrong.empty()) return {{}, Outcome::failed, wrong};
      return {{},
              Outcome::ok,
              "the run wrote these files (model.json); " +
                  sums_of_weights(subject, manifest.at("files"))};
    }
  }
  if (!subject.weights_fault.empty()) {
    return {{}, Outcome::skipped, "needs weights that can be read"};
  }
  return {{}, Outcome::ok, sums_of_weights(subject)};
}

}  // namespace gladius::train
