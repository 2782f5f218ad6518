// README.md.
#include <fmt/format.h>

#include <set>
#include <sstream>

#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/loop/finished_model.h"
#include "subject.h"

namespace gladius::train {
namespace {

constexpr const char* kFence = "---";

// The keys at the left of the front matter; none where there is no front matter.
std::set<std::string> front_matter_keys(const std::string& card) {
  std::istringstream lines(card);
  std::set<std::string> keys;
  std::string line;
  const auto next = [&] {
    const bool more = static_cast<bool>(std::getline(lines, line));
    if (line.ends_with('\r')) line.pop_back();
    return more;
  };
  if (!next() || line != kFence) return {};
  while (next()) {
    if (line == kFence) return keys;
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && line.find_first_of(" -#\t") > colon) {
      keys.insert(line.substr(0, colon));
    }
  }
  return {};
}

// The value of `license` as this library writes it where the run file has none.
bool says_unknown(const std::string& card) {
  return card.find("\nlicense: \"unknown\"\n") != std::string::npos ||
         card.find("\nlicense: unknown\n") != std::string::npos;
}

}  // namespace

Check check_card(const Subject& subject) {
  if (subject.gguf) return {{}, Outcome::skipped, "a GGUF file has none"};
  const auto file = subject.path / kCard;
  if (!is_there(file)) return {{}, Outcome::warning, "there is no README.md"};
  const std::string card = read_text_file(file);
  const std::set<std::string> keys = front_matter_keys(card);
  if (keys.empty()) {
    return {{}, Outcome::warning, "README.md has no front matter (YAML between two lines ---)"};
  }
  if (!keys.contains("license")) return {{}, Outcome::warning, "the front matter has no license"};
  if (says_unknown(card)) return {{}, Outcome::warning, "the front matter's license is unknown"};
  return {{}, Outcome::ok, fmt::format("front matter with {} keys", keys.size())};
}

}  // namespace gladius::train
