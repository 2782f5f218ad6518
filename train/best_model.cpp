#include "gladius/train/best_model.h"

#include <cmath>

#include "gladius/tensor/io/text_file.h"
#include "gladius/train/staged_directory.h"
#include "gladius/train/student.h"

namespace gladius {

BestModel::BestModel(const StudentConfig& student, std::filesystem::path directory)
    : student_(student), directory_(std::move(directory)) {}

void BestModel::restore(const std::optional<BestStep>& best, const std::string& data) {
  const bool counts = best && best->data == data && std::filesystem::exists(directory_);
  best_ = counts ? best : std::nullopt;
}

void BestModel::offer(const CausalLM& student, const BestStep& candidate,
                      const nlohmann::ordered_json& evaluation) {
  if (!std::isfinite(candidate.cross_entropy)) return;
  if (best_ && candidate.cross_entropy >= best_->cross_entropy) return;
  StagedDirectory staged(directory_);
  save_student(staged.path(), student, student_);
  write_text_file(staged.path() / kBestEvaluation, evaluation.dump(2) + "\n");
  staged.replace();
  best_ = candidate;
}

}  // namespace gladius
