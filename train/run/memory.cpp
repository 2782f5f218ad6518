#include "gladius/train/run/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/models/language_model.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/parallel.h"
#include "gladius/train/run/model_paths.h"
#include "gladius/train/run/precision_choice.h"
#include "gladius/train/run/student_optimizer.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

// Measured: a run on a model of nothing takes 15 MiB.
constexpr std::uint64_t kProgramBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kBytesAThread = std::uint64_t{2} << 20;  // packed panels of matrix products

std::optional<std::uint64_t> read_number(const fs::path& file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  if (in >> value) return value;
  return {};  // not there, or "max"
}

// The number behind KEY in a file of lines "KEY 123".
std::optional<std::uint64_t> read_field(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t value = 0;
    if (words >> name >> value && name == key) return value;
  }
  return {};
}

struct CgroupFiles {
  const char *limit, *usage, *reclaimable;
};
constexpr CgroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes",
                                "total_inactive_file"};
constexpr CgroupFiles kVersion2{"memory.max", "memory.current", "inactive_file"};

void take_least(std::optional<AvailableMemory>& least, std::uint64_t bytes, std::string limit) {
  if (!least || bytes < least->bytes) least = AvailableMemory{bytes, std::move(limit)};
}

// A group is limited by all that it is in.
void look_at_groups(const fs::path& mount, const fs::path& group, const CgroupFiles& files,
                    std::optional<AvailableMemory>& least) {
  fs::path relative = group.relative_path();
  for (;;) {
    const fs::path directory = mount / relative;
    const auto limit = read_number(directory / files.limit);
    const auto usage = read_number(directory / files.usage);
    if (limit && usage) {
      const std::uint64_t cache =
          read_field(directory / "memory.stat", files.reclaimable).value_or(0);
      const std::uint64_t used = *usage - std::min(cache, *usage);
      take_least(least, *limit - std::min(used, *limit), (directory / files.limit).string());
    }
    if (relative.empty()) return;
    relative = relative.parent_path();
  }
}

std::string gibibytes(std::uint64_t bytes) {
  return fmt::format("{:.2f}", static_cast<double>(bytes) / 0x1p30);
}

// Of `elements` a token, of `size` bytes each. What no machine has is 2^60, so that sums stay below
// 2^64.
std::uint64_t product_bytes(std::int64_t tokens, std::int64_t elements, std::size_t size) {
  const double bytes =
      static_cast<double>(tokens) * static_cast<double>(elements) * static_cast<double>(size);
  return static_cast<std::uint64_t>(std::min(bytes, 0x1p60));
}

std::uint64_t directory_bytes(const ExpertConfig& expert) {
  std::uint64_t bytes = 0;
  for (const fs::path& file : weight_files(expert.model)) bytes += fs::file_size(file);
  return bytes;
}

}  // namespace

MemoryNeed estimate_memory(const LanguageModel& student, bool activation_checkpointing,
                           std::int64_t tokens, std::uint64_t expert_bytes,
                           std::int64_t expert_vocabulary, const OptimizerConfig& config,
                           Precision precision) {
  const auto bytes = [](std::int64_t elements) {
    return static_cast<std::uint64_t>(elements) * sizeof(float);
  };
  const std::int64_t parameters = student.num_parameters();
  std::int64_t largest = 0;
  for (const Variable& parameter : student.parameters()) {
    largest = std::max(largest, parameter.numel());
  }
  const Optimizer optimizer = make_optimizer(config, student.parameters_with_roles());
  const PassSizes pass = student.pass_sizes();
  // Kept as activations; what enters a checkpointed layer is kept as it is.
  const std::size_t kept = precision == Precision::bf16 ? sizeof(bfloat16) : sizeof(float);
  const std::uint64_t activations =
      activation_checkpointing
          ? product_bytes(tokens, pass.saved, kept) +
                product_bytes(tokens, pass.num_layers * pass.input, sizeof(float))
          : product_bytes(tokens, pass.num_layers * pass.saved, kept);
  return {.weights = bytes(parameters),
          .gradients = bytes(parameters) + std::max(bytes(largest), optimizer.workspace_bytes()),
          .moments = optimizer.state_bytes(),
          .activations = activations,
          .logits = bytes(std::min(tokens, kLinearLossRows) *
                          (student.config().vocab_size + expert_vocabulary)),
          .program = kProgramBytes + static_cast<std::uint64_t>(num_threads()) * kBytesAThread,
          .expert = expert_bytes};
}

MemoryNeed estimate_memory(const RunConfig& config, const LanguageModel& student,
                           std::int64_t tokens) {
  std::uint64_t expert_bytes = 0;
  std::int64_t expert_vocabulary = 0;
  for (const ExpertConfig& expert : config.experts) {
    expert_bytes = std::max(expert_bytes, directory_bytes(expert));
    expert_vocabulary = std::max(
        expert_vocabulary, ModelConfig::load(find_model(expert.model).paths.config).vocab_size);
  }
  MemoryNeed need = estimate_memory(student, config.activation_checkpointing, tokens, expert_bytes,
                                    std::min(expert_vocabulary, student.config().vocab_size),
                                    config.optimizer, precision_of(config.precision));
  if (config.cluster.local_updates > 0) {
    const bool compressed = config.cluster.compress != ClusterCompression::none;
    need.agreed = need.weights * (compressed ? 3 : 2);  // and what rounding has left
  }
  return need;
}

std::optional<AvailableMemory> available_memory(const fs::path& root) {
  std::optional<AvailableMemory> least;
  if (const auto available = read_field(root / "proc/meminfo", "MemAvailable:")) {
    take_least(least, *available * 1024, "MemAvailable");  // it is in kB
  }
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:memory:/a/b", or "0::/a/b"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty()) look_at_groups(root / "sys/fs/cgroup", group, kVersion2, least);
    if (controllers == "memory") {
      look_at_groups(root / "sys/fs/cgroup/memory", group, kVersion1, least);
    }
  }
  return least;
}

std::optional<std::uint64_t> resident_memory() {
  const auto kibibytes = read_field("/proc/self/status", "VmRSS:");
  return kibibytes ? std::optional(*kibibytes * 1024) : std::nullopt;
}

void require_memory(const MemoryNeed& need, const AvailableMemory& available) {
  if (need.required() <= available.bytes) return;
  throw Error(fmt::format(
      "memory: the run needs about {} GiB (weights {}, gradients {}, moments {}{}, activations {}, "
      "logits {}, program {}) beside {} of mapped experts, and {} are available ({}); make "
      "batch_size or data.max_seq_len smaller, set activation_checkpointing, choose a smaller "
      "student, or try all the same with --set check_memory=false",
      gibibytes(need.required()), gibibytes(need.weights), gibibytes(need.gradients),
      gibibytes(need.moments),
      need.agreed > 0 ? ", cluster.local_updates " + gibibytes(need.agreed) : "",
      gibibytes(need.activations), gibibytes(need.logits), gibibytes(need.program),
      gibibytes(need.expert), gibibytes(available.bytes), available.limited_by));
}

}  // namespace gladius::train
