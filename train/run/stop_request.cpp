#include "gladius/train/run/stop_request.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"

namespace gladius::train {

void request_stop(const RunPaths& paths) {
  if (!DirectoryLock::is_held(paths.directory)) {
    throw Error(fmt::format("no process runs in {}", paths.directory.string()));
  }
  // What is in it does not matter. (No AtomicFile: the run removes such files of other processes.)
  const FileDescriptor file(
      ::open(paths.stop_request().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file.get() < 0) throw_io_error("write", paths.stop_request());
}

bool is_stop_requested(const RunPaths& paths) {
  return ::access(paths.stop_request().c_str(), F_OK) == 0;
}

bool StopRequest::seen() {
  if (seen_ || !is_stop_requested(paths_)) return seen_;
  seen_ = true;
  std::error_code ignored;  // it is not worth a run, and the next one removes it
  std::filesystem::remove(paths_.stop_request(), ignored);
  return true;
}

}  // namespace gladius::train
