#include "gladius/train/loop/snapshot.h"

#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/tensor/io/safetensors.h"

namespace gladius::train {

void write_snapshot(const RunPaths& paths, const LanguageModel& model, const Batch& batch,
                    const StepRecord& record) {
  if (std::filesystem::exists(paths.snapshot())) remove_directory(paths.snapshot());
  StagedDirectory staged(paths.snapshot());
  save_model(staged.path() / "model", model);
  write_safetensors(
      staged.path() / "batch.safetensors",
      {{"ids", batch.ids}, {"labels", batch.labels}, {"positions", batch.context.positions}});
  write_text_file(staged.path() / "step.json", record.to_json().dump(2) + "\n");
  staged.commit();
}

}  // namespace gladius::train
