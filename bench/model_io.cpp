// Times the loading and saving of a model beside their bounds: loading with a warm file cache, its
// peak memory beside the file's size, and saving beside a plain write of the same bytes to the same
// directory (as dd conv=fsync does), in turns.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/random.h"
#include "support/measure.h"

namespace gladius::bench {
namespace {

namespace fs = std::filesystem;

struct Settings {
  std::string config, directory;
  int repeats = 7;
  bool json = false;
};

// In a process of its own, whose memory does not count here.
void make_model(const ModelConfig& config, const fs::path& directory) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(exit_code("model_io", [&] {
      const auto model = make_language_model(config);
      Generator generator(0);
      model->init_weights(generator);
      save_model(directory, *model);
    }));
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0) throw Error("no model was made");
}

// Reads each byte once.
std::uint64_t checksum(const LanguageModel& model) {
  std::uint64_t sum = 0;
  for (const auto& [name, tensor] : model.state_dict()) {
    const std::span bytes(tensor.raw_data(), tensor.nbytes());
    for (const std::byte byte : bytes) sum += std::to_integer<std::uint64_t>(byte);
  }
  return sum;
}

// The peak of loading and reading all weights, over what the program holds before.
std::uint64_t peak_of_loading(const fs::path& directory, bool trainable) {
  reset_peak();
  const std::uint64_t before = memory_status("VmRSS:");
  const auto model = load_model(directory, {.trainable = trainable});
  if (checksum(*model) == 0) throw Error("the weights are zero");
  return memory_status("VmHWM:") - before;
}

double load_seconds(const fs::path& directory, bool trainable) {
  return seconds([&] { load_model(directory, {.trainable = trainable}); });
}

// `dd bs=1M conv=fsync` from memory.
void write_plainly(const fs::path& path, std::span<const std::byte> bytes) {
  constexpr std::size_t kBlock = std::size_t{1} << 20;
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  for (std::size_t at = 0; at < bytes.size(); at += kBlock) {
    const auto block = bytes.subspan(at, std::min(kBlock, bytes.size() - at));
    if (::write(file.get(), block.data(), block.size()) != std::ssize(block)) {
      throw_io_error("write", path);
    }
  }
  if (::fsync(file.get()) != 0) throw_io_error("write to disk", path);
}

nlohmann::ordered_json measure_loading(const fs::path& directory, bool trainable, int repeats) {
  const double file = static_cast<double>(open_weights(directory).front().file_size());
  const auto peak = static_cast<double>(peak_of_loading(directory, trainable));
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) times.push_back(load_seconds(directory, trainable));
  return {{"load_s", median(times)}, {"peak_bytes", peak}, {"peak_of_file", peak / file}};
}

nlohmann::ordered_json measure_saving(const fs::path& directory, const fs::path& scratch,
                                      int repeats) {
  const auto model = load_model(directory);
  const auto file = MappedFile::open(directory / "model.safetensors");
  checksum(*model);  // its pages are there
  std::vector<double> saved, plain, ratios;
  const auto save = [&] {
    saved.push_back(seconds([&] { save_model(scratch / "saved", *model); }));
    fs::remove_all(scratch / "saved");
  };
  const auto write = [&] {
    plain.push_back(seconds([&] { write_plainly(scratch / "plain", file->bytes()); }));
    fs::remove(scratch / "plain");
  };
  for (int i = 0; i < repeats; ++i) {
    // Each is the first as often: what comes after may wait for the disk to forget the other.
    i % 2 == 0 ? (save(), write()) : (write(), save());
    ratios.push_back(plain.back() / saved.back());
  }
  const auto bytes = static_cast<double>(file->bytes().size());
  return {{"file_bytes", bytes},
          {"save_bytes_per_s", bytes / median(saved)},
          {"plain_bytes_per_s", bytes / median(plain)},
          {"of_plain", median(ratios)}};
}

void print_loading(const char* name, const nlohmann::ordered_json& loading) {
  fmt::print("loading {}: {:.1f} ms, peak {:.3f} x the file\n", name,
             1e3 * loading.at("load_s").get<double>(), loading.at("peak_of_file").get<double>());
}

void print(const nlohmann::ordered_json& result) {
  print_loading("for inference", result.at("inference"));
  print_loading("for training", result.at("training"));
  const nlohmann::ordered_json& saving = result.at("saving");
  fmt::print("saving {:.0f} MB: {:.2f} GB/s, plain writing {:.2f} GB/s, ratio {:.2f} (medians)\n",
             saving.at("file_bytes").get<double>() / 1e6,
             saving.at("save_bytes_per_s").get<double>() / 1e9,
             saving.at("plain_bytes_per_s").get<double>() / 1e9,
             saving.at("of_plain").get<double>());
}

// A directory of its own, removed at the end.
class Scratch {
 public:
  explicit Scratch(const fs::path& parent)
      : path_(parent / fmt::format("model_io-{}", ::getpid())) {
    fs::create_directories(path_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void run(const Settings& settings) {
  const ModelConfig config = ModelConfig::load(settings.config);
  const Scratch scratch(settings.directory);
  const fs::path directory = scratch.path() / "model";
  make_model(config, directory);
  const nlohmann::ordered_json result{
      {"inference", measure_loading(directory, false, settings.repeats)},
      {"training", measure_loading(directory, true, settings.repeats)},
      {"saving", measure_saving(directory, scratch.path(), settings.repeats)}};
  settings.json ? fmt::print("{}\n", result.dump(2)) : print(result);
}

}  // namespace
}  // namespace gladius::bench

int main(int argc, char** argv) {
  gladius::bench::Settings settings;
  settings.config = GLADIUS_SOURCE_DIR "/configs/gladius-125m.json";
  settings.directory = std::filesystem::temp_directory_path();
  CLI::App program("Times loading and saving of a model beside their bounds.", "model_io");
  program.add_option("--config", settings.config, "Configuration of the model")
      ->capture_default_str();
  program.add_option("--dir", settings.directory, "Directory, and so the disk, that is written to")
      ->capture_default_str();
  program.add_option("--repeats", settings.repeats, "Repeats")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_flag("--json", settings.json, "Print JSON");
  CLI11_PARSE(program, argc, argv);
  return gladius::bench::exit_code("model_io", [&] { gladius::bench::run(settings); });
}
