#include "gladius/train/verify/verification.h"

#include <fmt/format.h>

#include <exception>

#include "gladius/tensor/base/error.h"
#include "subject.h"

namespace gladius::train {
namespace {

using CheckSubject = Check (*)(const Subject&);
constexpr std::pair<const char*, CheckSubject> kChecks[] = {
    {"config", check_config},
    {"tensors", check_tensors},
    {"tied head", check_tied_head},
    {"finite weights", check_finite},
    {"tokenizer", check_tokenizer},
    {"special tokens", check_special_tokens},
    {"chat template", check_chat_template},
    {"generation config", check_generation_config},
    {"checksums", check_checksums},
    {"card", check_card}};

}  // namespace

std::vector<Check> verify_model(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    throw IoError(fmt::format("{} does not exist", path.string()));
  }
  const Subject subject = Subject::open(path);
  std::vector<Check> checks;
  for (const auto& [name, check] : kChecks) {
    try {
      checks.push_back(check(subject));
    } catch (const std::exception& error) {
      checks.push_back({.name = {}, .outcome = Outcome::failed, .detail = error.what()});
    }
    checks.back().name = name;
  }
  return checks;
}

}  // namespace gladius::train
