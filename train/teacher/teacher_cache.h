// What teachers have said of a run's examples, on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gladius/tensor/base/record_file.h"
#include "gladius/tensor/tensor.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// A directory with `manifest.json`, which says what the outputs belong to, and `records`, the
/// outputs by the SHA-256 of an example's tokens and of what decides the last bits (processor,
/// threads): the order of the examples, how they are packed and what repeats do not matter.
///
/// It never fails a run: if the disk is full or fails, `warn` gets one line, and from then on
/// outputs are not kept, or not found. For one thread at a time.
class TeacherCache {
 public:
  using Warn = std::function<void(const std::string&)>;

  /// Opens the cache, or makes it. ConfigError as check_manifest.
  TeacherCache(std::filesystem::path directory, const nlohmann::ordered_json& manifest,
               std::uint64_t max_bytes, Warn warn);

  /// Fills `output` (contiguous, of the size that was written) if that of these tokens is known.
  bool read(const std::vector<std::int64_t>& ids, Tensor output);
  /// Keeps a contiguous output, as long as the size stays below the limit.
  void write(const std::vector<std::int64_t>& ids, const Tensor& output);

 private:
  std::string key(const std::vector<std::int64_t>& ids) const;
  void give_up(const std::exception& error);

  std::filesystem::path directory_;
  std::uint64_t max_bytes_;
  Warn warn_;
  std::string environment_;
  std::optional<RecordFile> records_;  // nothing: given up
  bool writes_ = true;
};

/// What the outputs of an expert depend on: SHA-256 of its files and of the data's (from `inputs`,
/// see describe_inputs), and the settings of the run file. Not on the student or its tokenizer: one
/// cache serves students of any vocabulary. (Of a truncated vocabulary the size counts.)
nlohmann::ordered_json cache_manifest(const RunConfig& config, const nlohmann::ordered_json& inputs,
                                      std::size_t expert, std::int64_t student_vocab_size);

/// Whether the cache in `directory`, if there is one, has this manifest. ConfigError, a line that
/// names what differs.
void check_manifest(const std::filesystem::path& directory, const nlohmann::ordered_json& manifest);

/// The caches of a run's experts: DIRECTORY/expert-0, expert-1, ...
class TeacherCaches {
 public:
  /// In teacher_cache.path, or else in `own`. Every cache that is there already is checked.
  /// ConfigError as check_manifest, and where teacher_cache.path is in a model that is read, or one
  /// of its files would take the place of an input.
  TeacherCaches(const RunConfig& config, const nlohmann::ordered_json& inputs,
                std::int64_t student_vocab_size, const std::filesystem::path& own);

  /// Null where the run file has none.
  std::unique_ptr<TeacherCache> open(std::size_t expert, const TeacherCache::Warn& warn) const;

 private:
  std::filesystem::path directory_;
  std::uint64_t max_bytes_;
  std::vector<nlohmann::ordered_json> manifests_;
};

}  // namespace gladius::train
