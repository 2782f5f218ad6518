#include "gladius/train/report/tensorboard/event_file.h"

#include <chrono>
#include <string>
#include <string_view>

#include "gladius/tensor/base/text_file.h"
#include "gladius/train/report/tensorboard/event.h"

namespace gladius::train {
namespace {

double now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

// The file's first frame, then one for each record.
std::string expected_frame(const std::vector<StepRecord>& records, std::size_t i,
                           double wall_time) {
  return i == 0 ? version_frame(wall_time) : step_frame(records[i - 1], wall_time);
}

}  // namespace

EventFile::EventFile(const std::filesystem::path& path, const std::vector<StepRecord>& records)
    : file_(path) {
  const std::string content = read_text_file(path);
  std::string_view rest = content;
  std::size_t i = 0;
  for (; i <= records.size(); ++i) {
    const std::string frame = expected_frame(records, i, wall_time_of(rest));
    if (!rest.starts_with(frame)) break;
    rest.remove_prefix(frame.size());
  }
  if (!rest.empty()) file_.cut(content.size() - rest.size());
  std::string missing;
  for (const double time = now(); i <= records.size(); ++i) {
    missing += expected_frame(records, i, time);
  }
  file_.append(missing);
}

void EventFile::append(const StepRecord& record) { file_.append(step_frame(record, now())); }

}  // namespace gladius::train
