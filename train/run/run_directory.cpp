#include "gladius/train/run/run_directory.h"

#include <fmt/format.h>

#include <fstream>

#include "gladius/tensor/base/append_file.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/run/json_object.h"
#include "gladius/train/run/timeline.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Json read_json(const fs::path& path) {
  Json json = read_json_file(path);
  if (!json.is_object()) throw FormatError(fmt::format("{}: not a JSON object", path.string()));
  return json;
}

void write_json(const fs::path& path, const Json& json) {
  write_text_file(path, json.dump(2) + "\n");
}

// Leaves the file alone if it says so already.
void update_json(const fs::path& path, const Json& json) {
  if (read_optional_json(path) == json) return;
  write_json(path, json);
}

// May `name` be what a process has left that was killed before its run began?
bool precedes_run(const RunPaths& paths, const fs::path& name) {
  return name == DirectoryLock::kName || name == paths.inputs().filename() ||
         name == paths.student_config().filename() || is_leftover(name);
}

void require_no_run(const RunPaths& paths) {
  if (fs::exists(paths.run_json())) {
    throw IoError(
        fmt::format("{} already holds a run; resume it with --resume, or give another "
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

// The files that grow line by line; all others are replaced.
std::vector<fs::path> growing_files(const RunPaths& paths) {
  return {paths.metrics(), paths.samples(), paths.events(), paths.timeline()};
}

// What a link leads to is not the run's to change.
void require_own_files(const RunPaths& paths) {
  for (const fs::path& file : growing_files(paths)) {
    if (fs::is_symlink(file)) {
      throw IoError(fmt::format(
          "resume: {} is a symbolic link, and a run changes no files but its own; put the file "
          "itself in its place, or remove the link",
          file.string()));
    }
    if (is_there(file)) open_regular_file(file);
  }
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
  directory.lock_.keep();
  remove_leftovers(path);
  make_directory(paths.checkpoints());
  write_json(paths.inputs(), identity.inputs);
  write_json(paths.student_config(), identity.student_config);
  if (!identity.init_from.is_null()) write_json(paths.init_from(), identity.init_from);
  write_json(paths.run_json(), identity.run);
  return directory;
}

std::string RunPaths::name() const {
  const fs::path path = fs::absolute(directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

void RunPaths::require_run() const {
  if (!fs::exists(run_json())) {
    throw IoError(fmt::format("{} holds no run (no run.json)", directory.string()));
  }
}

RunDirectory RunDirectory::open(const fs::path& path) {
  if (!fs::exists(RunPaths{path}.run_json())) {
    throw IoError(
        fmt::format("resume: {} holds no run (no run.json); leave out --resume to begin one there",
                    path.string()));
  }
  require_own_files({path});
  return RunDirectory(path);
}

RunConfig RunDirectory::config() const { return RunConfig::load_recorded(paths_.run_json()); }

void RunDirectory::go_on(const RunIdentity& identity) {
  lock_.keep();
  update_json(paths_.run_json(), identity.run);
  if (!identity.inputs.is_null()) update_json(paths_.inputs(), identity.inputs);
  if (!identity.student_config.is_null()) {
    update_json(paths_.student_config(), identity.student_config);
  }
  remove_leftovers(paths_.directory);
  remove_leftovers(paths_.checkpoints());
  for (const fs::path& file : growing_files(paths_)) own_file(file);
  end_last_line(paths_.timeline());
}

RunDirectory::RunDirectory(const fs::path& path) : paths_{path}, lock_(path) {
  std::error_code ignored;  // what was asked of a process before this one
  fs::remove(paths_.stop_request(), ignored);
}

Json RunDirectory::inputs() const {
  Json inputs = read_json(paths_.inputs());
  for (const auto& [key, files] : inputs.items()) {
    if (!files.is_object()) {
      throw FormatError(
          fmt::format("{}: \"{}\" is not an object of files", paths_.inputs().string(), key));
    }
  }
  if (!inputs.contains("data.train")) {
    throw FormatError(fmt::format("{}: \"data.train\" is missing", paths_.inputs().string()));
  }
  return inputs;
}

void RunDirectory::note(std::string_view event) const { note_event(paths_.timeline(), event); }

}  // namespace gladius::train
