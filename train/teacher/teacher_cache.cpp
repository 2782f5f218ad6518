#include "gladius/train/teacher/teacher_cache.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/data/data_files.h"
#include "gladius/train/run/environment.h"
#include "gladius/train/run/json_object.h"
#include "gladius/train/run/overwrite.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::int64_t kFormat = 2;
constexpr double kGigabyte = 1e9;

fs::path manifest_file(const fs::path& directory) { return directory / "manifest.json"; }
fs::path records_file(const fs::path& directory) { return directory / "records"; }

fs::path expert_directory(const fs::path& directory, std::size_t expert) {
  return directory / fmt::format("expert-{}", expert);
}

std::span<std::byte> bytes_of(const Tensor& tensor) { return {tensor.raw_data(), tensor.nbytes()}; }

// {"FILE": {"bytes": ..., "sha256": ...}} -> the sums by the files' names; they may be elsewhere.
Json sums_by_name(const Json& files) {
  Json sums = Json::object();
  for (const auto& [file, print] : files.items()) {
    sums[fs::path(file).filename().string()] = print.at("sha256");
  }
  return sums;
}

Json sums_in_order(const Json& files) {
  Json sums = Json::array();
  for (const auto& [file, print] : files.items()) sums.push_back(print.at("sha256"));
  return sums;
}

std::string environment_of_bits() {
  const Json environment = describe_environment();
  return fmt::format("{}\n{}\n", environment.value("cpu", ""),
                     environment.at("threads").get<int>());
}

void make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw_io_error("create", directory, error.value());
}

[[noreturn]] void refuse(const fs::path& directory, const std::string& why) {
  throw ConfigError(
      fmt::format("the teacher cache {} {}; remove it, or name another directory by "
                  "teacher_cache.path",
                  directory.string(), why));
}

// The run's own directory is checked where it is made.
void check_named_directory(const RunConfig& config, const Json& inputs) {
  constexpr const char* kKey = "teacher_cache.path";
  const fs::path& directory = *config.teacher_cache.path;
  if (fs::exists(directory) && !fs::is_directory(directory)) {
    throw ConfigError(fmt::format("{} {} exists and is not a directory", kKey, directory.string()));
  }
  if (config.student.init) require_outside(kKey, directory, *config.student.init);
  if (config.student.init_from) {
    require_outside(kKey, directory, config.student.init_from->model);
  }
  std::vector<fs::path> files = expand_patterns(config.data.eval);
  for (const Json& group : inputs) {
    for (const auto& [file, print] : group.items()) files.emplace_back(file);
  }
  for (std::size_t i = 0; i < config.experts.size(); ++i) {
    require_outside(kKey, directory, config.experts[i].model);
    const fs::path own = expert_directory(directory, i);
    require_not_among(kKey, manifest_file(own), files);
    require_not_among(kKey, records_file(own), files);
  }
}

}  // namespace

TeacherCache::TeacherCache(fs::path directory, const Json& manifest, std::uint64_t max_bytes,
                           Warn warn)
    : directory_(std::move(directory)),
      max_bytes_(max_bytes),
      warn_(std::move(warn)),
      environment_(environment_of_bits()) {
  check_manifest(directory_, manifest);
  try {
    make_directory(directory_);
    records_.emplace(records_file(directory_));
    writes_ = records_->writable();
    if (writes_ && !fs::exists(manifest_file(directory_))) {
      write_text_file(manifest_file(directory_), manifest.dump(2) + "\n");
    }
  } catch (const IoError& error) {
    give_up(error);
  }
  check_manifest(directory_, manifest);  // now that nobody else makes it
  if (records_ && !writes_) {
    warn_(
        fmt::format("another process writes to the teacher cache {}; what it has is read, and "
                    "nothing added",
                    directory_.string()));
  }
}

bool TeacherCache::read(const std::vector<std::int64_t>& ids, Tensor output) try {
  if (!records_) return false;
  output.mark_written("TeacherCache::read");
  return records_->read(key(ids), bytes_of(output));
} catch (const IoError& error) {
  give_up(error);
  return false;
}

void TeacherCache::write(const std::vector<std::int64_t>& ids, const Tensor& output) {
  if (!records_ || !writes_) return;
  if (records_->size() + RecordFile::record_bytes(output.nbytes()) > max_bytes_) {
    writes_ = false;
    warn_(
        fmt::format("the teacher cache {} is full ({:.3g} GB); the expert reads the examples "
                    "that are not in it each time (teacher_cache.max_gb)",
                    directory_.string(), static_cast<double>(records_->size()) / kGigabyte));
    return;
  }
  try {
    records_->append(key(ids), bytes_of(output));
  } catch (const IoError& error) {
    give_up(error);
  }
}

std::string TeacherCache::key(const std::vector<std::int64_t>& ids) const {
  std::string text = environment_;
  text.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]);
  return sha256(std::as_bytes(std::span(text)));
}

void TeacherCache::give_up(const std::exception& error) {
  records_.reset();
  warn_(fmt::format("the teacher cache is given up, the run goes on without it: {}", error.what()));
}

Json cache_manifest(const RunConfig& config, const Json& inputs, std::size_t expert,
                    std::int64_t student_vocab_size) {
  const VocabularyMode vocabulary = config.experts[expert].vocabulary;
  const TeacherCacheConfig& cache = config.teacher_cache;
  // Hidden states are the same for every student. Of the logits it matters which there are.
  const bool of_logits = cache.top_k || cache.samples;
  const bool truncated = vocabulary == VocabularyMode::truncate;
  return {{"format", kFormat},
          {"teacher", sums_by_name(inputs.at(fmt::format("experts.{}.model", expert)))},
          {"data", sums_in_order(inputs.at("data.train"))},
          {"vocabulary", of_logits ? Json(name_of(vocabulary)) : Json()},
          {"student_vocab_size", of_logits && truncated ? Json(student_vocab_size) : Json()},
          {"top_k", cache.top_k ? Json(*cache.top_k) : Json()},
          {"samples", cache.samples ? Json(*cache.samples) : Json()},
          {"precision", config.precision == PrecisionChoice::bf16 ? Json("bf16") : Json()},
          {"temperature", cache.samples ? Json(config.loss.temperature) : Json()},
          {"seed", cache.samples ? Json(config.seed) : Json()}};
}

void check_manifest(const fs::path& directory, const Json& manifest) {
  const fs::path file = manifest_file(directory);
  if (!fs::exists(file)) {
    const fs::path records = records_file(directory);
    if (fs::exists(records) && !fs::is_empty(records)) refuse(directory, "has no manifest.json");
    return;
  }
  const Json known = Json::parse(read_text_file(file), nullptr, /*allow_exceptions=*/false);
  if (!known.is_object()) refuse(directory, "has a manifest.json that is no JSON object");
  const std::vector<std::string> other = changed_keys(known, manifest);
  if (other.empty()) return;
  refuse(directory, fmt::format("belongs to a run with another {}", fmt::join(other, ", ")));
}

TeacherCaches::TeacherCaches(const RunConfig& config, const Json& inputs,
                             std::int64_t student_vocab_size, const fs::path& own)
    : directory_(config.teacher_cache.path.value_or(own)),
      max_bytes_(static_cast<std::uint64_t>(config.teacher_cache.max_gb * kGigabyte)) {
  if (max_bytes_ == 0) return;
  if (config.teacher_cache.path) check_named_directory(config, inputs);
  for (std::size_t i = 0; i < config.experts.size(); ++i) {
    manifests_.push_back(cache_manifest(config, inputs, i, student_vocab_size));
    check_manifest(expert_directory(directory_, i), manifests_[i]);
  }
}

std::unique_ptr<TeacherCache> TeacherCaches::open(std::size_t expert,
                                                  const TeacherCache::Warn& warn) const {
  if (max_bytes_ == 0) return nullptr;
  return std::make_unique<TeacherCache>(expert_directory(directory_, expert), manifests_[expert],
                                        max_bytes_, warn);
}

}  // namespace gladius::train
