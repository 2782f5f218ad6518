#include "gladius/train/loop/best_model.h"

#include <fmt/format.h>

#include <cmath>

#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/loop/student.h"
#include "gladius/train/run/file_sums.h"
#include "gladius/train/run/json_object.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// What best/ says of itself.
struct Held {
  std::int64_t step = -1;
  Json cross_entropy = {};
  std::string wrong = {};  // with it; empty: nothing
};

Held look_at(const fs::path& directory) {
  if (!fs::is_directory(directory)) return {.wrong = "it is gone"};
  const Json described = read_optional_json(directory / kBestEvaluation);
  if (described.is_null() || !described.value("step", Json()).is_number_unsigned()) {
    return {.wrong = fmt::format("{} cannot be read", kBestEvaluation)};
  }
  return {
      .step = described.at("step"),
      .cross_entropy = described.value("cross_entropy", Json()),
      .wrong = wrong_file(directory, described.value("files", Json::object()), Look::every_byte)};
}

// Whether it cannot be what the run has written for `best`, or after it.
bool is_another(const Held& held, const BestStep& best) {
  return held.step < best.step ||
         (held.step == best.step && held.cross_entropy != best.cross_entropy);
}

}  // namespace

BestModel::BestModel(const StudentConfig& student, std::filesystem::path directory)
    : student_(student), directory_(std::move(directory)) {}

std::string BestModel::restore(const std::optional<BestStep>& best, const std::string& data,
                               const std::function<bool(std::int64_t step)>& is_made_again) {
  best_.reset();
  if (!best) return "";
  if (best->data != data) {
    return fmt::format(
        "{} was measured on other data than data.eval is now; the next evaluation "
        "takes its place",
        directory_.string());
  }
  Held held = look_at(directory_);
  if (held.wrong.empty() && is_another(held, *best)) {
    held.wrong = fmt::format("it is of step {}, not {}, or says otherwise what that came to",
                             held.step, best->step);
  }
  if (!held.wrong.empty()) {
    return fmt::format(
        "{} is not the best student so far ({}); the next evaluation takes its place",
        directory_.string(), held.wrong);
  }
  best_ = best;
  if (held.step == best->step || is_made_again(held.step)) return "";
  return fmt::format(
      "{} has the student of step {}, which this run does not evaluate; it stays "
      "until an evaluation is better than that of step {}",
      directory_.string(), held.step, best->step);
}

std::string wrong_with_best(const fs::path& directory) { return look_at(directory).wrong; }

void BestModel::offer(const LanguageModel& student, const BestStep& candidate,
                      const Json& evaluation) {
  if (!std::isfinite(candidate.cross_entropy)) return;
  if (best_ && candidate.cross_entropy >= best_->cross_entropy) return;
  StagedDirectory staged(directory_);
  save_student(staged.path(), student, student_);
  Json described = evaluation;
  described["files"] = describe_files(staged.path());
  write_text_file(staged.path() / kBestEvaluation, described.dump(2) + "\n");
  staged.replace();
  best_ = candidate;
}

}  // namespace gladius::train
