// safetensors files: tensors by name, mapped into memory; the format is safetensors_header.h's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gladius/tensor/base/mapped_file.h"
#include "gladius/tensor/io/safetensors_header.h"
#include "gladius/tensor/tensor.h"

namespace gladius {

/// An open file. Copies share the mapping; the tensors it gives keep it alive. Const methods may be
/// called from several threads.
class SafetensorsFile {
 public:
  /// Maps the file and checks its header. Throws IoError, or FormatError "<path>: <error>: ..."
  /// with the errors of parse_safetensors_header.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_->path(); }
  std::uint64_t file_size() const { return file_->bytes().size(); }
  /// In the order of their bytes.
  const std::vector<SafetensorsEntry>& entries() const { return header_.entries; }
  const SafetensorsMetadata& metadata() const { return header_.metadata; }

  bool contains(std::string_view name) const;
  /// Throws FormatError (TensorNotFound) for an unknown name, as do the next two.
  const SafetensorsEntry& entry(std::string_view name) const;
  /// The bytes as stored, valid while this file or a copy of it lives.
  std::span<const std::byte> bytes(std::string_view name) const;
  /// A read-only view of the mapping; a read-only copy where the file leaves the elements
  /// unaligned. Throws DtypeError for a stored dtype that Tensor lacks, FormatError for a BOOL
  /// other than 0, 1.
  Tensor tensor(std::string_view name) const;
  /// MappedFile::forget.
  void forget() const { file_->forget(); }

 private:
  SafetensorsFile(std::shared_ptr<const MappedFile> file, SafetensorsHeader header);
  std::span<const std::byte> bytes(const SafetensorsEntry& entry) const;

  std::shared_ptr<const MappedFile> file_;
  SafetensorsHeader header_;
  std::unordered_map<std::string, std::size_t> index_;  // name -> position in header_.entries
};

/// Writes a file atomically, laid out by plan_safetensors. The bytes go from the tensors to the
/// file without a copy; a tensor that is not contiguous is copied while it is written. Throws
/// IoError and the FormatErrors of plan_safetensors.
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, Tensor>>& tensors,
                       const SafetensorsMetadata& metadata = {});

/// As write_safetensors, for tensors of any stored dtype given as bytes (bytes[i] for specs[i]).
/// Throws FormatError (TensorInvalidInfo) also where their number does not fit dtype and shape.
void write_safetensors_bytes(const std::filesystem::path& path,
                             const std::vector<SafetensorsSpec>& specs,
                             const std::vector<std::span<const std::byte>>& bytes,
                             const SafetensorsMetadata& metadata = {});

/// Takes bytes of a tensor, in their order.
using SafetensorsSink = std::function<void(std::span<const std::byte>)>;
/// Hands all bytes of the tensor at a position among the specs to the sink.
using SafetensorsData = std::function<void(std::size_t spec, const SafetensorsSink& sink)>;

/// As write_safetensors_bytes, for bytes that are made while they are written, so that they need
/// not all be in memory. `data` is called once for each of the specs, in the file's order.
void write_safetensors_data(const std::filesystem::path& path,
                            const std::vector<SafetensorsSpec>& specs, const SafetensorsData& data,
                            const SafetensorsMetadata& metadata = {});

}  // namespace gladius
