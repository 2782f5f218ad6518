#include "gladius/train/run_directory.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <ctime>
#include <fstream>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/text_file.h"
#include "gladius/train/run_config.h"
#include "gladius/train/staged_directory.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kLock = "lock";

FileDescriptor lock(const fs::path& directory) {
  const fs::path path = directory / kLock;
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file.get() < 0) throw_io_error("open", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) throw_io_error("lock", path);
  throw IoError(
      fmt::format("{}: another process is running in this directory; wait for it, or use "
                  "another --out",
                  directory.string()));
}

Json read_run_json(const fs::path& path) {
  if (!fs::exists(path)) {
    throw IoError(
        fmt::format("resume: {} holds no run (no run.json); leave out --resume to begin "
                    "one there",
                    path.parent_path().string()));
  }
  return read_json_file(path);
}

void write_run_json(const fs::path& path, const Json& run) {
  write_text_file(path, run.dump(2) + "\n");
}

}  // namespace

RunDirectory RunDirectory::create(const fs::path& path, const Json& run) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw_io_error("create the run directory", path, error.value());
  RunDirectory directory(path);
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().filename() == kLock) continue;
    if (fs::exists(directory.paths_.run_json())) {
      throw IoError(
          fmt::format("{} already holds a run; go on with it by --resume, or give another "
                      "--out",
                      path.string()));
    }
    throw IoError(fmt::format("{} is not empty ({}); give another --out", path.string(),
                              entry.path().filename().string()));
  }
  write_run_json(directory.paths_.run_json(), run);
  return directory;
}

RunDirectory RunDirectory::resume(const fs::path& path, const Json& run,
                                  std::vector<std::string>& changed) {
  const Json before = read_run_json(RunPaths{path}.run_json());
  RunDirectory directory(path);
  changed = check_resumable(before, run);
  if (!changed.empty()) write_run_json(directory.paths_.run_json(), run);
  remove_staged(path);
  remove_staged(directory.paths_.checkpoints());
  return directory;
}

RunDirectory::RunDirectory(const fs::path& path) : paths_{path}, lock_(lock(path)) {}

void RunDirectory::note(std::string_view event) const {
  std::ofstream out(paths_.timeline(), std::ios::app);
  const std::string time = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  out << Json{{"time", time}, {"event", event}}.dump() << '\n';
  out.flush();
  if (!out) throw IoError(fmt::format("cannot write {}", paths_.timeline().string()));
}

}  // namespace gladius
