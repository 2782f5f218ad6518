#include "gladius/train/run_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <ctime>
#include <fstream>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"
#include "gladius/tensor/io/text_file.h"
#include "gladius/train/append_file.h"
#include "gladius/train/run_config.h"
#include "gladius/train/staged_directory.h"
#include "gladius/train/text_format.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kLock = "lock";

// "123", if the lock says who has it.
std::string holder(const FileDescriptor& lock) {
  char text[32] = {};
  const ssize_t size = ::pread(lock.get(), text, sizeof text - 1, 0);
  const std::string all(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  return all.substr(0, all.find_first_not_of("0123456789"));
}

FileDescriptor lock(const fs::path& directory) {
  const fs::path path = directory / kLock;
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file.get() < 0) throw_io_error("open", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw_io_error("lock", path);
    const std::string pid = holder(file);
    throw IoError(
        fmt::format("{}: another process{} is running in this directory; wait for it, or use "
                    "another --out",
                    directory.string(), pid.empty() ? "" : fmt::format(" (pid {})", pid)));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file.get(), 0) != 0 || ::write(file.get(), pid.data(), pid.size()) < 0) {
    throw_io_error("write", path);
  }
  return file;
}

Json read_json(const fs::path& path) {
  Json json = read_json_file(path);
  if (!json.is_object()) throw FormatError(fmt::format("{}: not a JSON object", path.string()));
  return json;
}

void write_json(const fs::path& path, const Json& json) {
  write_text_file(path, json.dump(2) + "\n");
}

// May `name` be what a process has left that was killed before its run began?
bool precedes_run(const RunPaths& paths, const fs::path& name) {
  return name == kLock || name == paths.inputs().filename() ||
         name == paths.student_config().filename() || is_leftover(name);
}

void require_no_run(const RunPaths& paths) {
  if (fs::exists(paths.run_json())) {
    throw IoError(
        fmt::format("{} already holds a run; go on with it by --resume, or give another "
                    "--out",
                    paths.directory.string()));
  }
  for (const auto& entry : fs::directory_iterator(paths.directory)) {
    const fs::path name = entry.path().filename();
    if (precedes_run(paths, name)) continue;
    if (name == paths.checkpoints().filename() && fs::is_empty(entry.path())) continue;
    throw IoError(fmt::format("{} is not empty ({}); give another --out", paths.directory.string(),
                              name.string()));
  }
}

// A process that was killed may have left half a line.
void end_last_line(const fs::path& path) {
  if (!fs::exists(path)) return;
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (in.tellg() <= 0) return;
  in.seekg(-1, std::ios::end);
  if (in.get() != '\n') AppendFile(path).append("\n");
}

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw_io_error("create the run directory", path, error.value());
  sync_to_disk(path.parent_path());
}

}  // namespace

RunDirectory RunDirectory::create(const fs::path& path, const RunIdentity& identity) {
  make_directory(path);
  require_no_run({path});  // before the lock, which would leave a file in somebody's directory
  RunDirectory directory(path);
  const RunPaths& paths = directory.paths_;
  require_no_run(paths);
  remove_leftovers(path);
  make_directory(paths.checkpoints());
  write_json(paths.inputs(), identity.inputs);
  write_json(paths.student_config(), identity.student_config);
  write_json(paths.run_json(), identity.run);
  return directory;
}

RunDirectory RunDirectory::resume(const fs::path& path, const Json& run,
                                  std::vector<std::string>& changed) {
  if (!fs::exists(RunPaths{path}.run_json())) {
    throw IoError(
        fmt::format("resume: {} holds no run (no run.json); leave out --resume to begin one there",
                    path.string()));
  }
  RunDirectory directory(path);
  const Json before = read_json(directory.paths_.run_json());
  changed = check_resumable(before, run);
  if (!changed.empty()) write_json(directory.paths_.run_json(), run);
  remove_leftovers(path);
  remove_leftovers(directory.paths_.checkpoints());
  end_last_line(directory.paths_.timeline());
  return directory;
}

RunDirectory::RunDirectory(const fs::path& path) : paths_{path}, lock_(lock(path)) {}

Json RunDirectory::inputs() const { return read_json(paths_.inputs()); }

void RunDirectory::note(std::string_view event) const {
  const Json line{{"time", format_time(std::time(nullptr))}, {"event", event}};
  AppendFile(paths_.timeline()).append(line.dump() + "\n");
}

}  // namespace gladius
